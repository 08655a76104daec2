"""The few requests to the API server that the operator makes, each with its preconditions.

This is aiohttp with the credentials that kopf already has, not a client library: those at hand
cannot send preconditions with a deletion, and a request costs them five times the CPU.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self, cast

import aiohttp
import kopf

from training_sandbox_operator.cluster import paths
from training_sandbox_operator.cluster.admission import Admission, Urgency
from training_sandbox_operator.cluster.errors import (
    NotFoundError,
    NotLeadingError,
    UnavailableError,
    error_of,
)
from training_sandbox_operator.cluster.fenced_body import FencedBody
from training_sandbox_operator.cluster.watch_stream import Change, changes, watch_query
from training_sandbox_operator.model.lease import Lease, lease_manifest
from training_sandbox_operator.model.names import FIELD_MANAGER, POD_SELECTOR, Key

_TIMEOUT_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
# A status that waits for a TLS handshake is late; the API server itself closes after 90 s.
_KEEPALIVE_SECONDS = 60.0
_PAGE_SIZE = 500
_UNAUTHORIZED = 401
_BAD_REQUEST = 400
_TOO_MANY_REQUESTS = 429
_LONGEST_HOLD_SECONDS = 10.0
JSON = "application/json"
_JSON_PATCH = "application/json-patch+json"

JsonDict = dict[str, Any]
OnCall = Callable[[str, str, int, float], None]
"""Told of each request: method, path, HTTP status (0: no answer), seconds."""
OnDate = Callable[[str, float], None]
"""Told of each answer: the API server's Date header, how many seconds the answer took."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Attributes:
        resource_version: of the whole list: it shows the cluster as it was then.
    """

    items: list[JsonDict]
    resource_version: int


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    query: Mapping[str, str]
    data: bytes | None
    kinds: Mapping[str, str]


class KubernetesApi:
    """The API server. An asynchronous context manager.

    Every method raises one of ``cluster.errors``.

    Args:
        login: returns fresh credentials; called again when the server refuses the old ones, as it
            does after the kubelet has rotated the service account's token.
        may_write_for: returns for how many seconds from now this process may write: it is asked
            before a write, which is given up then, and once more as its bytes go out. Leases are
            exempt.
        on_call: told of each request.
        on_date: told of each answer.
    """

    def __init__(
        self,
        login: Callable[[], kopf.ConnectionInfo],
        *,
        may_write_for: Callable[[], float] = lambda: math.inf,
        on_call: OnCall | None = None,
        on_date: OnDate | None = None,
    ) -> None:
        self._login = login
        self._may_write_for = may_write_for
        self._on_call = on_call
        self._on_date = on_date
        self._admission = Admission()
        self._writes = 0
        self._nothing_is_written = asyncio.Event()
        self._nothing_is_written.set()

    async def __aenter__(self) -> Self:
        connection = self._login()
        self._authorization = connection.as_http_headers()
        self._session = aiohttp.ClientSession(
            base_url=connection.server.rstrip("/") + "/",
            connector=aiohttp.TCPConnector(
                limit=0,
                ssl=connection.as_ssl_context(),
                keepalive_timeout=_KEEPALIVE_SECONDS,
            ),
            headers={
                "User-Agent": FIELD_MANAGER,
                # To compress a list takes longer than to send it.
                "Accept-Encoding": "identity",
            },
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    def may_write(self) -> bool:
        """Return whether a write would be sent now."""
        return self._may_write_for() > 0

    async def create_pod(
        self, manifest: Mapping[str, Any], urgency: Urgency = Urgency.START
    ) -> JsonDict:
        """Create a pod and return it."""
        namespace: str = manifest["metadata"]["namespace"]
        return await self.request("POST", paths.pods(namespace), body=manifest, urgency=urgency)

    async def get_pod(self, key: Key) -> JsonDict:
        """Return a pod."""
        return await self.request("GET", f"{paths.pods(key.namespace)}/{key.name}")

    async def patch_pod(self, key: Key, patch: Sequence[Mapping[str, Any]]) -> JsonDict:
        """Apply a JSON patch, which says what it is for, to a pod and return the pod."""
        return await self.request(
            "PATCH", f"{paths.pods(key.namespace)}/{key.name}", body=patch, content_type=_JSON_PATCH
        )

    async def delete_pod(
        self,
        key: Key,
        *,
        uid: str,
        grace_seconds: int | None = None,
        resource_version: int | None = None,
    ) -> JsonDict:
        """Delete the pod with this UID and return its last or present state.

        Args:
            key: namespace and name of the pod.
            uid: the pod that is meant, not another one of the same name.
            grace_seconds: None for the pod's own; 0 removes it without the kubelet's word.
            resource_version: the only one in which it is to be deleted, None for any.
        """
        options: JsonDict = {"preconditions": {"uid": uid}}
        if resource_version is not None:
            options["preconditions"]["resourceVersion"] = str(resource_version)
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        return await self.request("DELETE", f"{paths.pods(key.namespace)}/{key.name}", body=options)

    async def delete_instance(self, key: Key, *, uid: str, resource_version: int) -> None:
        """Delete the instance if it is still exactly this one: its deadline may have been moved."""
        preconditions = {"uid": uid, "resourceVersion": str(resource_version)}
        await self.request(
            "DELETE",
            f"{paths.instances(key.namespace)}/{key.name}",
            body={"preconditions": preconditions, "propagationPolicy": "Background"},
        )

    async def replace_status(
        self, key: Key, *, resource_version: int, status: Mapping[str, Any]
    ) -> JsonDict:
        """Replace the status of the instance, if it is in this version, and return the instance."""
        path = paths.instances(key.namespace)
        return await self._replace_status(path, key, resource_version, status, Urgency.FIRST)

    async def replace_pool_status(
        self, key: Key, *, resource_version: int, status: Mapping[str, Any]
    ) -> JsonDict:
        """Replace the status of the pool, if it is in this version, and return the pool."""
        path = paths.pools(key.namespace)
        return await self._replace_status(path, key, resource_version, status, Urgency.WARM_UP)

    async def _replace_status(
        self,
        path: str,
        key: Key,
        resource_version: int,
        status: Mapping[str, Any],
        urgency: Urgency,
    ) -> JsonDict:
        # To replace the version by the one that is meant makes the server answer 409 when it is
        # another one; a "test" would make it answer 422, as for a status that the schema refuses.
        patch = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": str(resource_version)},
            {"op": "add", "path": "/status", "value": status},
        ]
        return await self.request(
            "PATCH",
            f"{path}/{key.name}/status",
            body=patch,
            content_type=_JSON_PATCH,
            urgency=urgency,
        )

    async def create_event(self, manifest: Mapping[str, Any]) -> None:
        """Create a core/v1 Event."""
        namespace: str = manifest["metadata"]["namespace"]
        path = f"api/v1/namespaces/{namespace}/events"
        await self.request("POST", path, body=manifest, urgency=Urgency.WARM_UP)

    async def get_lease(self, key: Key) -> Lease | None:
        """Return the lease, None when there is none."""
        try:
            return Lease.from_api(await self.request("GET", f"{paths.leases(key)}/{key.name}"))
        except NotFoundError:
            return None

    async def create_lease(self, key: Key, spec: Mapping[str, Any]) -> Lease:
        """Create the lease and return it."""
        body = lease_manifest({"namespace": key.namespace, "name": key.name}, spec)
        return Lease.from_api(
            await self.request("POST", paths.leases(key), body=body, is_fenced=False)
        )

    async def replace_lease(self, key: Key, version: str, spec: Mapping[str, Any]) -> Lease:
        """Replace the lease, if it is in this version, and return it."""
        metadata = {"namespace": key.namespace, "name": key.name, "resourceVersion": version}
        body = lease_manifest(metadata, spec)
        path = f"{paths.leases(key)}/{key.name}"
        return Lease.from_api(await self.request("PUT", path, body=body, is_fenced=False))

    async def until_nothing_is_written(self) -> None:
        """Wait until no write is on its way."""
        await self._nothing_is_written.wait()

    def list_instances(self, namespace: str | None) -> AsyncIterator[Page]:
        """Yield all instances of a namespace, or of all namespaces."""
        return self.list_pages(paths.instances(namespace), {})

    def list_pools(self, namespace: str | None) -> AsyncIterator[Page]:
        """Yield all pools of a namespace, or of all namespaces."""
        return self.list_pages(paths.pools(namespace), {})

    def list_pods(self, namespace: str | None) -> AsyncIterator[Page]:
        """Yield all pods that an operator has made, of a namespace or of all namespaces."""
        return self.list_pages(paths.pods(namespace), {"labelSelector": POD_SELECTOR})

    def watch_pods(self, namespace: str | None, since: int) -> AsyncIterator[Change]:
        """Yield what happens to an operator's pods after a version, for a minute."""
        return self.watch(paths.pods(namespace), {"labelSelector": POD_SELECTOR}, since)

    async def watch(
        self, path: str, query: Mapping[str, str], since: int, accept: str = JSON
    ) -> AsyncIterator[Change]:
        """Yield what happens after a version, for a minute."""
        parameters = {**query, **watch_query(since)}
        seconds = float(parameters["timeoutSeconds"])
        timeout = aiohttp.ClientTimeout(total=seconds + _CONNECT_SECONDS, connect=_CONNECT_SECONDS)
        try:
            async with self._session.get(
                path,
                params=parameters,
                headers={**self._authorization, "Accept": accept},
                timeout=timeout,
            ) as response:
                if response.status >= _BAD_REQUEST:
                    text = await response.text()
                    if response.status == _UNAUTHORIZED:
                        self._authorization = self._login().as_http_headers()
                    retry_after = response.headers.get("Retry-After")
                    raise error_of(
                        response.status, _decode(text), text=text, retry_after=retry_after
                    )
                async for change in changes(response.content):
                    yield change
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UnavailableError(0, "Unreachable", f"watch {path}: {error!r}") from error

    async def list_pages(
        self, path: str, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncIterator[Page]:
        """Yield all objects of a path, so many at once."""
        position = ""
        while True:
            parameters = {**query, "limit": str(_PAGE_SIZE)}
            if position:
                parameters["continue"] = position
            answer = await self.request("GET", path, query=parameters, accept=accept)
            metadata = answer["metadata"]
            yield Page(answer.get("items") or [], int(metadata["resourceVersion"]))
            position = metadata.get("continue", "")
            if not position:
                return

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        accept: str = JSON,
        is_fenced: bool = True,
        urgency: Urgency = Urgency.FIRST,
    ) -> JsonDict:
        """Send a request, a write in its turn, and return the answer."""
        parameters = {**(query or {})}
        if method in {"POST", "PUT", "PATCH"}:
            parameters["fieldManager"] = FIELD_MANAGER
        data = None if body is None else json.dumps(body).encode()
        kinds = {"Content-Type": content_type, "Accept": accept}
        call = _Call(method, path, parameters, data, kinds)
        send = partial(self._write, urgency) if is_fenced and method != "GET" else self._send
        status, text, retry_after = await send(call)
        if status == _UNAUTHORIZED:
            self._authorization = self._login().as_http_headers()
            status, text, retry_after = await send(call)
        answer = _decode(text)
        if status >= _BAD_REQUEST:
            error = error_of(status, answer, text=text, retry_after=retry_after)
            if status == _TOO_MANY_REQUESTS:
                self._admission.hold(min(error.retry_after or 0, _LONGEST_HOLD_SECONDS))
            raise error
        return answer

    async def _write(self, urgency: Urgency, call: _Call) -> tuple[int, str, str | None]:
        """Send a write in its turn if this process may write, and for no longer than it may."""
        async with self._admission.enter(urgency):
            seconds = self._may_write_for()
            if seconds <= 0:
                message = f"{call.method} {call.path}: this process does not lead"
                raise NotLeadingError(0, "NotLeading", message)
            self._writes += 1
            self._nothing_is_written.clear()
            try:
                fenced = FencedBody(call.data or b"", self.may_write)
                return await self._send(call, seconds, fenced)
            finally:
                self._writes -= 1
                if not self._writes:
                    self._nothing_is_written.set()

    async def _send(
        self, call: _Call, seconds: float = _TIMEOUT_SECONDS, fenced: FencedBody | None = None
    ) -> tuple[int, str, str | None]:
        headers = {**self._authorization, **call.kinds}
        timeout = aiohttp.ClientTimeout(
            total=min(seconds, _TIMEOUT_SECONDS), connect=_CONNECT_SECONDS
        )
        begin, status = time.perf_counter(), 0
        try:
            async with self._session.request(
                call.method,
                call.path,
                params=call.query,
                data=call.data if fenced is None else fenced,
                headers=headers,
                timeout=timeout,
            ) as response:
                if self._on_date is not None:
                    date = response.headers.get("Date", "")
                    self._on_date(date, time.perf_counter() - begin)
                text = await response.text()
                status = response.status
                return status, text, response.headers.get("Retry-After")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UnavailableError(
                0, "Unreachable", f"{call.method} {call.path}: {error!r}"
            ) from error
        finally:
            if self._on_call is not None:
                self._on_call(call.method, call.path, status, time.perf_counter() - begin)


def _decode(text: str) -> JsonDict:
    try:
        answer: Any = json.loads(text)
    except ValueError:
        return {}
    return cast("JsonDict", answer) if isinstance(answer, dict) else {}
