"""The Kubernetes API, as far as this package needs it. What fails comes out as our own errors."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from weakref import WeakKeyDictionary

import anyio
import httpx
from kr8s import APITimeoutError, ServerError

from training_sandbox._causes import root_cause
from training_sandbox._exceptions import (
    ClusterUnavailable,
    InstanceExists,
    InstanceNotFound,
    InstanceRejected,
    Unauthorized,
)
from training_sandbox._json import JsonObject, as_list, as_object, as_text, dig
from training_sandbox._kubernetes import Connection, KubernetesApi, connect
from training_sandbox._leftovers import Deletion
from training_sandbox._manifest import API_VERSION, CREATION_TOKEN, PLURAL, Instance, read_instance

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

API_SECONDS = 30.0
WATCH_SECONDS = 60
POLL_SECONDS = 1.0
WATCHES_AT_ONCE = 50
"""Of the 100 connections that kr8s opens at once; the others are for short requests."""
CREATE_ATTEMPTS = 3

_watches: WeakKeyDictionary[KubernetesApi, anyio.CapacityLimiter] = WeakKeyDictionary()


class Cluster:
    """The TrainingInstances of one namespace.

    Args:
        connection: to the API server.
        namespace: where names are looked up; the connection's own by default.
    """

    def __init__(self, connection: Connection, namespace: str | None = None) -> None:
        self.connection = connection
        self.namespace = namespace or connection.namespace

    @classmethod
    async def connect(
        cls, *, kubeconfig: str | None, context: str | None, namespace: str | None
    ) -> Self:
        """Connect as kubectl would.

        Raises:
            ClusterUnavailable: there are no credentials, or no API server answers.
        """
        return cls(await connect(kubeconfig, context), namespace)

    async def create(self, manifest: JsonObject) -> Instance:
        """Create a TrainingInstance once, also when an answer is lost on the way.

        Raises:
            InstanceExists: another's object has the name.
            InstanceRejected: the API refuses the object.
            ClusterUnavailable: the API does not answer, or does not know TrainingInstance.
        """
        name = as_text(dig(manifest, "metadata", "name"))
        token = as_text(dig(manifest, "metadata", "annotations", CREATION_TOKEN))
        for attempts_left in reversed(range(CREATE_ATTEMPTS)):
            try:
                return read_instance(await self._json("POST", PLURAL, body=manifest))
            except ServerError as error:
                if _status(error) != HTTPStatus.CONFLICT:
                    raise self._rejection(error) from error
                existing = await self.find(name)
                if existing and existing.creation_token == token:
                    return existing
                raise InstanceExists(
                    f"there is a TrainingInstance {self.namespace}/{name} already: use another "
                    f"name, or TrainingSandbox.attach({name!r})"
                ) from error
            except ClusterUnavailable:
                if not attempts_left:
                    raise
        raise AssertionError

    async def find(self, name: str) -> Instance | None:
        """Return a TrainingInstance, or None when there is none of the name."""
        try:
            return read_instance(await self._json("GET", f"{PLURAL}/{name}"))
        except ServerError as error:
            if _status(error) == HTTPStatus.NOT_FOUND:
                return None
            raise self._rejection(error) from error

    async def read(self, name: str) -> Instance:
        """Return a TrainingInstance.

        Raises:
            InstanceNotFound: there is none of the name.
        """
        instance = await self.find(name)
        if instance is None:
            raise InstanceNotFound(f"there is no TrainingInstance {self.namespace}/{name}")
        return instance

    async def list(self, *, all_namespaces: bool = False) -> list[Instance]:
        """Return the TrainingInstances of the namespace, or of all of them."""
        try:
            answer = await self._json("GET", PLURAL, all_namespaces=all_namespaces)
        except ServerError as error:
            raise self._rejection(error) from error
        return [read_instance(item) for item in as_list(as_object(answer).get("items"))]

    async def delete(self, name: str, uid: str | None = None) -> bool:
        """Delete a TrainingInstance; with ``uid`` that very object only. False when it is gone."""
        body: JsonObject = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._json("DELETE", f"{PLURAL}/{name}", body=body)
        except ServerError as error:
            if _status(error) in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                return False
            raise self._rejection(error) from error
        return True

    async def token(self, secret: str) -> str | None:
        """Return the token in a Secret; None when there is no such Secret.

        Raises:
            Unauthorized: it may not be read, or has no token.
        """
        try:
            async with self._request("GET", f"secrets/{secret}", version="v1") as response:
                text = as_text(dig(response.json(), "data", "token"))
        except ServerError as error:
            status = _status(error)
            if status == HTTPStatus.NOT_FOUND:
                return None
            if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise Unauthorized(
                    f"the instance's token is in the Secret {self.namespace}/{secret}, which you "
                    f"may not read: that needs the verb get on secrets, resourceNames: [{secret}]"
                ) from error
            raise self._rejection(error) from error
        try:
            return base64.b64decode(text, validate=True).decode().strip() or None
        except ValueError:
            raise Unauthorized(f"the Secret {self.namespace}/{secret} has no token") from None

    async def changes(self, instance: Instance) -> AsyncGenerator[Instance | None]:
        """Yield the instance as it changes, None when it is deleted.

        Ends after a minute or so; when too many are being watched already, after a second.
        """
        watches = _watches.setdefault(self.connection.api, anyio.CapacityLimiter(WATCHES_AT_ONCE))
        if not watches.available_tokens:
            await anyio.sleep(POLL_SECONDS)
            return
        params = {
            "watch": "true",
            "fieldSelector": f"metadata.name={instance.name}",
            "resourceVersion": instance.resource_version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        try:
            request = self._request("GET", PLURAL, params=params, stream=True)
            async with watches, request as response:
                async for line in response.aiter_lines():
                    event = as_object(json.loads(line))
                    if event.get("type") == "ERROR":
                        return
                    deleted = event.get("type") == "DELETED"
                    yield None if deleted else read_instance(event.get("object"))
        except ServerError as error:
            raise self._rejection(error) from error

    async def pod_log(
        self, pod_name: str, lines: int, *, follow: bool = False
    ) -> AsyncGenerator[str]:
        """Yield the last lines of a pod's server; with ``follow`` also those to come."""
        params = {"tailLines": str(lines), "container": "server", "follow": str(follow).lower()}
        path = f"pods/{pod_name}/log"
        try:
            request = self._request("GET", path, version="v1", params=params, stream=True)
            async with request as response:
                async for line in response.aiter_lines():
                    yield line
        except ServerError as error:
            raise self._rejection(error) from error

    def deletion(self, instance: Instance) -> Deletion:
        """Return the deletion of an instance as a request that needs no event loop."""
        auth = self.connection.api.auth
        return Deletion(
            url=f"{auth.server}/apis/{API_VERSION}/namespaces/{instance.namespace}/{PLURAL}/"
            f"{instance.name}",
            uid=instance.uid,
            name=instance.name,
            headers={"Authorization": f"Bearer {auth.token}"} if auth.token else {},
            verify=self.connection.tls,
            proxy=auth.proxy,
        )

    async def _json(
        self,
        method: str,
        path: str,
        *,
        body: JsonObject | None = None,
        all_namespaces: bool = False,
    ) -> object:
        content = None if body is None else json.dumps(body)
        request = self._request(method, path, content=content, all_namespaces=all_namespaces)
        async with request as response:
            answer: object = response.json()
            return answer

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        version: str = API_VERSION,
        content: str | None = None,
        params: dict[str, str] | None = None,
        stream: bool = False,
        all_namespaces: bool = False,
    ) -> AsyncGenerator[httpx.Response]:
        timeout = httpx.Timeout(API_SECONDS, read=WATCH_SECONDS * 2 if stream else API_SECONDS)
        try:
            async with self.connection.api.call_api(
                method,
                version=version,
                url=path,
                namespace=None if all_namespaces else self.namespace,
                stream=stream,
                content=content,
                params=params,
                timeout=timeout,
            ) as response:
                yield response
        except (httpx.HTTPError, APITimeoutError, OSError) as error:
            raise ClusterUnavailable(
                f"the Kubernetes API does not answer: {root_cause(error)}"
            ) from error

    def _rejection(self, error: ServerError) -> InstanceRejected | ClusterUnavailable:
        """Tell a refused object from an API that has no such objects, or no answer."""
        status = _status(error)
        message = str(error)
        if status == HTTPStatus.NOT_FOUND and not message.startswith("namespaces "):
            return ClusterUnavailable(
                "the cluster has no TrainingInstance: install the operator's Helm chart first"
            )
        if status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ClusterUnavailable(f"the Kubernetes API fails: {message}")
        return InstanceRejected(message)


def _status(error: ServerError) -> int | None:
    return None if error.response is None else error.response.status_code
