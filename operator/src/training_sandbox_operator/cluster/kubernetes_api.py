"""The few requests to the API server that the operator makes, each with its preconditions."""

import logging
import math
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from typing import Any

from training_sandbox_operator.cluster import paths
from training_sandbox_operator.cluster.admission import Urgency
from training_sandbox_operator.cluster.api_server import ApiServer, JsonDict, Page
from training_sandbox_operator.cluster.errors import NotFoundError, NotLeadingError
from training_sandbox_operator.cluster.leader_mark import mark_claim, mark_creation
from training_sandbox_operator.cluster.watch_stream import Change
from training_sandbox_operator.model.lease import Lease, lease_manifest
from training_sandbox_operator.model.names import POD_SELECTOR, Key

_log = logging.getLogger(__name__)

_JSON_PATCH = "application/json-patch+json"
# An API server hears of a new leader in milliseconds.
_NEWS_SECONDS = 30.0


class KubernetesApi(ApiServer):
    """What the operator asks of the API server.

    Every method raises one of ``cluster.errors``.
    """

    _leader: str | None = None
    _is_known_by = -math.inf

    def write_as(self, leader: str) -> None:
        """Tell by each pod that is made or claimed that this is the leader who does so."""
        self._leader = leader
        self._is_known_by = time.monotonic() + _NEWS_SECONDS

    async def create_pod(
        self, manifest: Mapping[str, Any], urgency: Urgency = Urgency.START
    ) -> JsonDict:
        """Create a pod and return it."""
        namespace: str = manifest["metadata"]["namespace"]
        body = mark_creation(manifest, self._leader) if self._leader else manifest
        with self._heeding_refusals():
            return await self.request("POST", paths.pods(namespace), body=body, urgency=urgency)

    async def get_pod(self, key: Key) -> JsonDict:
        """Return a pod."""
        return await self.request("GET", f"{paths.pods(key.namespace)}/{key.name}")

    async def claim_pod(self, key: Key, patch: Sequence[Mapping[str, Any]]) -> JsonDict:
        """Apply the JSON patch that claims a warm pod, and return the pod."""
        body = mark_claim(patch, self._leader) if self._leader else patch
        path = f"{paths.pods(key.namespace)}/{key.name}"
        with self._heeding_refusals():
            return await self.request("PATCH", path, body=body, content_type=_JSON_PATCH)

    @contextmanager
    def _heeding_refusals(self) -> Generator[None]:
        """Tell who leads no more when that is refused though the API server must know by now.

        Whoever does not lead sends nothing, so that it is the API server that has not heard of it.
        """
        try:
            yield
        except NotLeadingError as error:
            is_known = time.monotonic() > self._is_known_by
            if error.status and self._leader and is_known and self.may_write():
                _log.error(
                    "pods are made and claimed without telling who leads from now on, so that what "
                    "the network delivers late is not refused: the API server does not know of "
                    "this leader, though it was told: %s",
                    error.message,
                )
                self._leader = None
            raise

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

    async def delete_instance(
        self,
        key: Key,
        *,
        uid: str,
        resource_version: int,
        wanted_for: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """Delete the instance if it is still exactly this one: its deadline may have been moved.

        ``wanted_for`` returns for how many seconds from now that is wanted.
        """
        preconditions = {"uid": uid, "resourceVersion": str(resource_version)}
        await self.request(
            "DELETE",
            f"{paths.instances(key.namespace)}/{key.name}",
            body={"preconditions": preconditions, "propagationPolicy": "Background"},
            wanted_for=wanted_for,
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
        await self.request("POST", path, body=manifest, urgency=Urgency.NEWS)

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

    def list_instances(self, namespace: str | None) -> AsyncGenerator[Page]:
        """Yield all instances of a namespace, or of all namespaces."""
        return self.list_pages(paths.instances(namespace), {})

    def list_pools(self, namespace: str | None) -> AsyncGenerator[Page]:
        """Yield all pools of a namespace, or of all namespaces."""
        return self.list_pages(paths.pools(namespace), {})

    def list_pods(self, namespace: str | None) -> AsyncGenerator[Page]:
        """Yield all pods that an operator has made, of a namespace or of all namespaces."""
        return self.list_pages(paths.pods(namespace), {"labelSelector": POD_SELECTOR})

    def watch_instances(self, namespace: str | None, since: int) -> AsyncIterator[Change]:
        """Yield what happens to instances after a version, for a minute."""
        return self.watch(paths.instances(namespace), {}, since)

    def watch_pods(self, namespace: str | None, since: int) -> AsyncIterator[Change]:
        """Yield what happens to an operator's pods after a version, for a minute."""
        return self.watch(paths.pods(namespace), {"labelSelector": POD_SELECTOR}, since)
