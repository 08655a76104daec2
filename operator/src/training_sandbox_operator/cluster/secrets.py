"""Requests about Secrets: of those of instances, the operator asks for their metadata alone."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from training_sandbox_operator.cluster import paths
from training_sandbox_operator.cluster.api_server import JsonDict, Page
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.cluster.watch_stream import Change
from training_sandbox_operator.model.names import POD_SELECTOR, Key

_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_OURS = {"labelSelector": POD_SELECTOR}


class Secrets:
    """The Secrets of a cluster. Every method raises one of ``cluster.errors``."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api

    async def get(self, key: Key) -> JsonDict:
        """Return a Secret with what it holds."""
        return await self._api.request("GET", _path(key))

    async def get_metadata(self, key: Key) -> JsonDict:
        """Return the metadata of a Secret."""
        return await self._api.request("GET", _path(key), accept=_METADATA)

    async def create(self, manifest: Mapping[str, Any]) -> JsonDict:
        """Create a Secret and return its metadata."""
        path = paths.secrets(manifest["metadata"]["namespace"])
        return await self._api.request("POST", path, body=manifest, accept=_METADATA)

    async def delete(self, key: Key, *, uid: str) -> None:
        """Delete the Secret with this UID."""
        await self._api.request("DELETE", _path(key), body={"preconditions": {"uid": uid}})

    def list(self, namespace: str | None) -> AsyncGenerator[Page]:
        """Yield the metadata of the Secrets that an operator has made for instances."""
        return self._api.list_pages(paths.secrets(namespace), _OURS, _METADATA_LIST)

    def watch(self, namespace: str | None, since: int) -> AsyncIterator[Change]:
        """Yield what happens to them after a version, for a minute."""
        return self._api.watch(paths.secrets(namespace), _OURS, since, _METADATA)


def _path(key: Key) -> str:
    return f"{paths.secrets(key.namespace)}/{key.name}"
