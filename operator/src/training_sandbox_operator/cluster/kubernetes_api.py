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
from types import TracebackType
from typing import Any, Self, cast

import aiohttp
import kopf

from training_sandbox_operator.cluster.errors import (
    NotFoundError,
    NotLeadingError,
    UnavailableError,
    error_of,
)
from training_sandbox_operator.model.lease import Lease
from training_sandbox_operator.model.names import (
    FIELD_MANAGER,
    GROUP,
    PLURAL,
    POD_SELECTOR,
    POOL_PLURAL,
    VERSION,
    Key,
)

_TIMEOUT_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
# A status that waits for a TLS handshake is late; the API server itself closes after 90 s.
_KEEPALIVE_SECONDS = 60.0
_PAGE_SIZE = 500
_UNAUTHORIZED = 401
_BAD_REQUEST = 400
_JSON = "application/json"
_JSON_PATCH = "application/json-patch+json"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_LEASES = "apis/coordination.k8s.io/v1/namespaces"

JsonDict = dict[str, Any]
OnCall = Callable[[str, str, int, float], None]
"""Told of each request: method, path, HTTP status (0: no answer), seconds."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Attributes:
        resource_version: of the whole list: it shows the cluster as it was then.
    """

    items: list[JsonDict]
    resource_version: int


class KubernetesApi:
    """The API server. An asynchronous context manager.

    Every method raises one of ``cluster.errors``.

    Args:
        login: returns fresh credentials; called again when the server refuses the old ones, as it
            does after the kubelet has rotated the service account's token.
        may_write_for: returns for how many seconds from now this process may write: it is asked
            right before a write is sent, which is given up then. Leases are exempt.
        on_call: told of each request.
    """

    def __init__(
        self,
        login: Callable[[], kopf.ConnectionInfo],
        *,
        may_write_for: Callable[[], float] = lambda: math.inf,
        on_call: OnCall | None = None,
    ) -> None:
        self._login = login
        self._may_write_for = may_write_for
        self._on_call = on_call
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
            headers={"User-Agent": FIELD_MANAGER},
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

    async def create_pod(self, manifest: Mapping[str, Any]) -> JsonDict:
        """Create a pod and return it."""
        namespace: str = manifest["metadata"]["namespace"]
        return await self._request("POST", _pods(namespace), body=manifest)

    async def get_pod(self, key: Key) -> JsonDict:
        """Return a pod."""
        return await self._request("GET", f"{_pods(key.namespace)}/{key.name}")

    async def patch_pod(self, key: Key, patch: Sequence[Mapping[str, Any]]) -> JsonDict:
        """Apply a JSON patch, which says what it is for, to a pod and return the pod."""
        return await self._request(
            "PATCH", f"{_pods(key.namespace)}/{key.name}", body=patch, content_type=_JSON_PATCH
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
        return await self._request("DELETE", f"{_pods(key.namespace)}/{key.name}", body=options)

    async def delete_instance(self, key: Key, *, uid: str, resource_version: int) -> None:
        """Delete the instance if it is still exactly this one: its deadline may have been moved."""
        preconditions = {"uid": uid, "resourceVersion": str(resource_version)}
        await self._request(
            "DELETE",
            f"{_instances(key.namespace)}/{key.name}",
            body={"preconditions": preconditions, "propagationPolicy": "Background"},
        )

    async def replace_status(
        self, key: Key, *, resource_version: int, status: Mapping[str, Any]
    ) -> JsonDict:
        """Replace the status of the instance, if it is in this version, and return the instance."""
        return await self._replace_status(_instances(key.namespace), key, resource_version, status)

    async def replace_pool_status(
        self, key: Key, *, resource_version: int, status: Mapping[str, Any]
    ) -> JsonDict:
        """Replace the status of the pool, if it is in this version, and return the pool."""
        return await self._replace_status(_pools(key.namespace), key, resource_version, status)

    async def _replace_status(
        self, path: str, key: Key, resource_version: int, status: Mapping[str, Any]
    ) -> JsonDict:
        # To replace the version by the one that is meant makes the server answer 409 when it is
        # another one; a "test" would make it answer 422, as for a status that the schema refuses.
        patch = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": str(resource_version)},
            {"op": "add", "path": "/status", "value": status},
        ]
        return await self._request(
            "PATCH", f"{path}/{key.name}/status", body=patch, content_type=_JSON_PATCH
        )

    async def get_secret(self, key: Key) -> JsonDict:
        """Return a Secret with what it holds."""
        return await self._request("GET", f"{_secrets(key.namespace)}/{key.name}")

    async def get_secret_metadata(self, key: Key) -> JsonDict:
        """Return the metadata of a Secret."""
        path = f"{_secrets(key.namespace)}/{key.name}"
        return await self._request("GET", path, accept=_METADATA)

    async def create_secret(self, manifest: Mapping[str, Any]) -> JsonDict:
        """Create a Secret and return its metadata."""
        namespace: str = manifest["metadata"]["namespace"]
        return await self._request("POST", _secrets(namespace), body=manifest, accept=_METADATA)

    async def delete_secret(self, key: Key, *, uid: str) -> None:
        """Delete the Secret with this UID."""
        path = f"{_secrets(key.namespace)}/{key.name}"
        await self._request("DELETE", path, body={"preconditions": {"uid": uid}})

    async def create_event(self, manifest: Mapping[str, Any]) -> None:
        """Create a core/v1 Event."""
        namespace: str = manifest["metadata"]["namespace"]
        await self._request("POST", f"api/v1/namespaces/{namespace}/events", body=manifest)

    async def get_lease(self, key: Key) -> Lease | None:
        """Return the lease, None when there is none."""
        try:
            return Lease.from_api(await self._request("GET", f"{_leases(key)}/{key.name}"))
        except NotFoundError:
            return None

    async def create_lease(self, key: Key, spec: Mapping[str, Any]) -> Lease:
        """Create the lease and return it."""
        body = _lease({"namespace": key.namespace, "name": key.name}, spec)
        return Lease.from_api(await self._request("POST", _leases(key), body=body, is_fenced=False))

    async def replace_lease(self, key: Key, version: str, spec: Mapping[str, Any]) -> Lease:
        """Replace the lease, if it is in this version, and return it."""
        metadata = {"namespace": key.namespace, "name": key.name, "resourceVersion": version}
        body = _lease(metadata, spec)
        path = f"{_leases(key)}/{key.name}"
        return Lease.from_api(await self._request("PUT", path, body=body, is_fenced=False))

    async def until_nothing_is_written(self) -> None:
        """Wait until no write is on its way."""
        await self._nothing_is_written.wait()

    def list_instances(self, namespace: str | None) -> AsyncIterator[Page]:
        """Yield all instances of a namespace, or of all namespaces."""
        return self._list(_instances(namespace), {})

    def list_pools(self, namespace: str | None) -> AsyncIterator[Page]:
        """Yield all pools of a namespace, or of all namespaces."""
        return self._list(_pools(namespace), {})

    def list_pods(self, namespace: str | None) -> AsyncIterator[Page]:
        """Yield all pods that an operator has made, of a namespace or of all namespaces."""
        return self._list(_pods(namespace), {"labelSelector": POD_SELECTOR})

    def list_secrets(self, namespace: str | None) -> AsyncIterator[Page]:
        """Yield the metadata of the Secrets that an operator has made for instances."""
        return self._list(_secrets(namespace), {"labelSelector": POD_SELECTOR}, _METADATA_LIST)

    async def _list(
        self, path: str, query: Mapping[str, str], accept: str = _JSON
    ) -> AsyncIterator[Page]:
        position = ""
        while True:
            parameters = {**query, "limit": str(_PAGE_SIZE)}
            if position:
                parameters["continue"] = position
            answer = await self._request("GET", path, query=parameters, accept=accept)
            metadata = answer["metadata"]
            yield Page(answer.get("items") or [], int(metadata["resourceVersion"]))
            position = metadata.get("continue", "")
            if not position:
                return

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = _JSON,
        accept: str = _JSON,
        is_fenced: bool = True,
    ) -> JsonDict:
        parameters = {**(query or {})}
        if method in {"POST", "PUT", "PATCH"}:
            parameters["fieldManager"] = FIELD_MANAGER
        data = None if body is None else json.dumps(body).encode()
        kinds = {"Content-Type": content_type, "Accept": accept}
        send = self._write if is_fenced and method != "GET" else self._send
        status, text, retry_after = await send(method, path, parameters, data, kinds)
        if status == _UNAUTHORIZED:
            self._authorization = self._login().as_http_headers()
            status, text, retry_after = await send(method, path, parameters, data, kinds)
        answer = _decode(text)
        if status >= _BAD_REQUEST:
            raise error_of(status, answer, text=text, retry_after=retry_after)
        return answer

    async def _write(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        data: bytes | None,
        kinds: Mapping[str, str],
    ) -> tuple[int, str, str | None]:
        """Send a write if this process may write, and for no longer than it may."""
        seconds = self._may_write_for()
        if seconds <= 0:
            raise NotLeadingError(0, "NotLeading", f"{method} {path}: this process does not lead")
        self._writes += 1
        self._nothing_is_written.clear()
        try:
            return await self._send(method, path, query, data, kinds, seconds=seconds)
        finally:
            self._writes -= 1
            if not self._writes:
                self._nothing_is_written.set()

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        data: bytes | None,
        kinds: Mapping[str, str],
        *,
        seconds: float = _TIMEOUT_SECONDS,
    ) -> tuple[int, str, str | None]:
        headers = {**self._authorization, **kinds}
        timeout = aiohttp.ClientTimeout(
            total=min(seconds, _TIMEOUT_SECONDS), connect=_CONNECT_SECONDS
        )
        begin, status = time.perf_counter(), 0
        try:
            async with self._session.request(
                method, path, params=query, data=data, headers=headers, timeout=timeout
            ) as response:
                text = await response.text()
                status = response.status
                return status, text, response.headers.get("Retry-After")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UnavailableError(0, "Unreachable", f"{method} {path}: {error!r}") from error
        finally:
            if self._on_call is not None:
                self._on_call(method, path, status, time.perf_counter() - begin)


def _pods(namespace: str | None) -> str:
    return f"api/v1/namespaces/{namespace}/pods" if namespace else "api/v1/pods"


def _secrets(namespace: str | None) -> str:
    return f"api/v1/namespaces/{namespace}/secrets" if namespace else "api/v1/secrets"


def _instances(namespace: str | None) -> str:
    return _custom(namespace, PLURAL)


def _pools(namespace: str | None) -> str:
    return _custom(namespace, POOL_PLURAL)


def _custom(namespace: str | None, plural: str) -> str:
    root = f"apis/{GROUP}/{VERSION}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def _leases(key: Key) -> str:
    return f"{_LEASES}/{key.namespace}/leases"


def _lease(metadata: JsonDict, spec: Mapping[str, Any]) -> JsonDict:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": spec,
    }


def _decode(text: str) -> JsonDict:
    try:
        answer: Any = json.loads(text)
    except ValueError:
        return {}
    return cast("JsonDict", answer) if isinstance(answer, dict) else {}
