"""Servers that are TrainingInstances: one of our own, or one that is there already."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio

from training_sandbox._creation import DELETE_SECONDS, Creation
from training_sandbox._exceptions import ClusterUnavailable, TrainingSandboxError
from training_sandbox._json import dig
from training_sandbox._leftovers import Leftover, warn_of_leftover
from training_sandbox._patience import until_answered
from training_sandbox._readiness import wait_until_ready, why_gone
from training_sandbox._server import BoundTask, Server
from training_sandbox._token import InstanceToken
from training_sandbox._uninterrupted import uninterrupted

if TYPE_CHECKING:
    from training_sandbox._cluster import Cluster
    from training_sandbox._json import JsonObject
    from training_sandbox._manifest import Instance
    from training_sandbox._progress import Wait

logger = logging.getLogger("training_sandbox")


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """Which cluster and namespace: what kubectl would use, where nothing is named."""

    kubeconfig: str | None
    context: str | None
    namespace: str | None

    async def connect(self) -> Cluster:
        """Return the connection; raise ClusterUnavailable."""
        # Here, and not above: importing kr8s takes longer than all the rest.
        from training_sandbox._cluster import Cluster  # noqa: PLC0415

        return await Cluster.connect(
            kubeconfig=self.kubeconfig, context=self.context, namespace=self.namespace
        )


class AttachedInstance:
    """A TrainingInstance that somebody else created, and will delete.

    Args:
        access: the cluster.
        name: of the instance.
        wait: how long to wait until it is ready, and what to show meanwhile.
    """

    _is_ours = False

    def __init__(self, access: ClusterAccess, name: str, wait: Wait) -> None:
        self._access = access
        self._name = name
        self._wait = wait
        self._cluster: Cluster | None = None
        self._uid = ""
        self._token: InstanceToken | None = None

    async def start(self) -> Server:
        """Wait until the instance is ready, and find the way to it."""
        cluster = await self._access.connect()
        return await self._serve(cluster, await cluster.read(self._name))

    async def stop(self) -> None:
        """Leave the instance as it is."""

    async def explain(self) -> TrainingSandboxError | None:
        """Say why the instance is gone; None when its status shows it serving."""
        if self._cluster is None:
            return None
        try:
            instance = await self._cluster.find(self._name)
        except TrainingSandboxError as error:
            logger.info("instance %s: its status cannot be read: %s", self._name, error)
            return None
        return why_gone(self._name, instance if instance and instance.uid == self._uid else None)

    async def token_after(self, refused: str | None, seconds: float) -> str | None:
        """Return what the operator writes for the server's next incarnation."""
        return await self._token.after(refused, seconds) if self._token else None

    async def _serve(self, cluster: Cluster, instance: Instance) -> Server:
        from training_sandbox._reach import reach  # noqa: PLC0415 (imports kr8s' dependencies)

        self._cluster, self._uid = cluster, instance.uid
        ready = await wait_until_ready(cluster, instance, self._wait)
        self._token = InstanceToken(cluster, ready)
        token = await self._token.first()
        base_url, transport = await reach(cluster, ready)
        return Server(
            base_url,
            transport,
            env_type=ready.env_type,
            name=ready.name,
            bound=BoundTask(ready.task_id, ready.name, ready.params, untouched=self._is_ours)
            if ready.task_id
            else None,
            token=token,
        )


class CreatedInstance(AttachedInstance):
    """A TrainingInstance of our own: created at the start, deleted at the stop.

    Args:
        access: the cluster.
        manifest: the object to create.
        wait: how long to wait until it is ready, and what to show meanwhile.
        keep: whether to leave the instance behind once it was ready, for its idle timeout to end.
    """

    _is_ours = True

    def __init__(
        self, access: ClusterAccess, manifest: JsonObject, wait: Wait, *, keep: bool
    ) -> None:
        super().__init__(access, str(dig(manifest, "metadata", "name")), wait)
        self._manifest = manifest
        self._keep = keep
        self._leftover: Leftover | None = None

    async def start(self) -> Server:
        """Create the instance and wait until it is ready; delete it again on failure."""
        cluster = await self._access.connect()
        try:
            # An object whose creation was interrupted could not be told from none.
            instance = await uninterrupted(partial(self._create, cluster))
            server = await self._serve(cluster, instance)
        except BaseException:
            await self.stop()
            raise
        if self._keep and self._leftover:
            self._leftover.forget()
            self._leftover = None
        return server

    async def stop(self) -> None:
        """Delete the instance, also when the caller is being cancelled."""
        await uninterrupted(self._delete)

    async def _create(self, cluster: Cluster) -> Instance:
        instance = await Creation(cluster, self._manifest).run()
        self._cluster, self._uid = cluster, instance.uid
        self._leftover = Leftover(self, cluster.deletion(instance).send)
        return instance

    async def _delete(self) -> None:
        leftover = self._leftover
        if self._cluster is None or leftover is None:
            return
        delete = partial(self._cluster.delete, self._name, self._uid)
        try:
            with anyio.fail_after(DELETE_SECONDS):
                await until_answered(delete, DELETE_SECONDS)
        except (ClusterUnavailable, TimeoutError) as error:
            # The last resort stays: it may find the API back.
            warn_of_leftover(self._name, error)
            return
        except TrainingSandboxError as error:
            warn_of_leftover(self._name, error)
        leftover.forget()
        self._leftover = None
