"""The Kubernetes API, as far as this package needs it. What fails comes out as our own errors."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from weakref import WeakKeyDictionary

import anyio
import httpx

from training_sandbox._answers import kubernetes_error
from training_sandbox._exceptions import (
    InstanceExists,
    InstanceNotFound,
    Unauthorized,
)
from training_sandbox._json import JsonObject, as_list, as_object, as_text, dig
from training_sandbox._kubernetes import Connection, KubernetesApi, connect
from training_sandbox._leftovers import Deletion
from training_sandbox._manifest import API_VERSION, PLURAL, Instance, read_instance

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextlib import AbstractAsyncContextManager

API_SECONDS = 30.0
WATCH_SECONDS = 60
POLL_SECONDS = 1.0
WATCHES_AT_ONCE = 50
"""Of the 100 connections that kr8s opens at once; the others are for short requests."""

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
        """Create a TrainingInstance.

        Raises:
            InstanceExists: there is one of the name.
            InstanceRejected: the API refuses the object.
            ClusterUnavailable: the API does not answer, or does not know TrainingInstance.
        """
        answer = await self._answer("POST", PLURAL, body=manifest)
        if answer.status_code == HTTPStatus.CONFLICT:
            name = as_text(dig(manifest, "metadata", "name"))
            raise InstanceExists(
                f"there is a TrainingInstance {self.namespace}/{name} already: use another name, "
                f"or TrainingSandbox.attach({name!r})"
            )
        return read_instance(_body(answer))

    async def find(self, name: str) -> Instance | None:
        """Return a TrainingInstance, or None when there is none of the name."""
        answer = await self._answer("GET", f"{PLURAL}/{name}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        return read_instance(_body(answer))

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
        answer = _body(await self._answer("GET", PLURAL, all_namespaces=all_namespaces))
        return [read_instance(item) for item in as_list(as_object(answer).get("items"))]

    async def delete(self, name: str, uid: str | None = None) -> bool:
        """Delete a TrainingInstance; with ``uid`` that very object only. False when it is gone."""
        body: JsonObject = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        answer = await self._answer("DELETE", f"{PLURAL}/{name}", body=body)
        if answer.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            return False
        _body(answer)
        return True

    async def token(self, secret: str) -> str | None:
        """Return the token in a Secret; None when there is no such Secret.

        Raises:
            Unauthorized: it may not be read, or has no token.
        """
        answer = await self._answer("GET", f"secrets/{secret}", version="v1")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Unauthorized(
                f"the instance's token is in the Secret {self.namespace}/{secret}, which you may "
                f"not read: that needs the verb get on secrets, resourceNames: [{secret}]"
            )
        text = as_text(dig(_body(answer), "data", "token"))
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
        request = self._request("GET", PLURAL, params=params, stream=True)
        async with watches, request as response:
            if response.status_code == HTTPStatus.GONE:
                return
            _raise_for_error(response)
            async for line in response.aiter_lines():
                event = as_object(json.loads(line))
                if event.get("type") == "ERROR":
                    return
                deleted = event.get("type") == "DELETED"
                yield None if deleted else read_instance(event.get("object"))

    async def pod_log(
        self, pod_name: str, lines: int, *, follow: bool = False
    ) -> AsyncGenerator[str]:
        """Yield the last lines of a pod's server; with ``follow`` also those to come."""
        params = {"tailLines": str(lines), "container": "server", "follow": str(follow).lower()}
        path = f"pods/{pod_name}/log"
        request = self._request("GET", path, version="v1", params=params, stream=True)
        async with request as response:
            _raise_for_error(response)
            async for line in response.aiter_lines():
                yield line

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

    async def _answer(
        self,
        method: str,
        path: str,
        *,
        version: str = API_VERSION,
        body: JsonObject | None = None,
        all_namespaces: bool = False,
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body)
        async with self._request(
            method, path, version=version, content=content, all_namespaces=all_namespaces
        ) as response:
            return response

    def _request(
        self,
        method: str,
        path: str,
        *,
        version: str = API_VERSION,
        content: str | None = None,
        params: dict[str, str] | None = None,
        stream: bool = False,
        all_namespaces: bool = False,
    ) -> AbstractAsyncContextManager[httpx.Response]:
        read_seconds = WATCH_SECONDS * 2 if stream else API_SECONDS
        return self.connection.request(
            method,
            path,
            version=version,
            namespace=None if all_namespaces else self.namespace,
            stream=stream,
            content=content,
            params=params,
            timeout=httpx.Timeout(API_SECONDS, read=read_seconds),
        )


def _body(response: httpx.Response) -> object:
    _raise_for_error(response)
    body: object = response.json()
    return body


def _raise_for_error(response: httpx.Response) -> None:
    if response.is_error:
        raise kubernetes_error(response)
