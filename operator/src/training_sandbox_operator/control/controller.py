"""The controller: the parts of the loop put together."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp

from training_sandbox_operator.cluster.events import EventRecorder
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.control.apply import Applier
from training_sandbox_operator.control.asking import Asker
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.catalogue_file import CatalogueFile
from training_sandbox_operator.control.deadlines import Deadlines
from training_sandbox_operator.control.reconcile import Reconciler
from training_sandbox_operator.control.resync import Resync
from training_sandbox_operator.control.work_queue import WorkQueue
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import JsonObject, Key
from training_sandbox_operator.model.pod import Pod

_DELETED = "DELETED"


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


class Controller:
    """Reconciles every instance of some namespaces.

    Args:
        api: the API server.
        session: for asking servers; belongs to the caller.
        catalogue: the environments.
        namespaces: the namespaces to serve; None stands for all of them.
        workers: how many keys are reconciled at once, and so how many writes are under way.
        clock: the present time.
    """

    def __init__(
        self,
        *,
        api: KubernetesApi,
        session: aiohttp.ClientSession,
        catalogue: CatalogueFile,
        namespaces: tuple[str, ...] | None,
        workers: int,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._queue: WorkQueue[Key] = WorkQueue()
        self._deadlines: Deadlines[Key] = Deadlines()
        self._cache = Cache(self._queue.add)
        self._catalogue = catalogue
        self._resync = Resync(api, self._cache, namespaces)
        self._asker = Asker(session, self._cache, clock)
        self._workers = workers
        self._clock = clock
        self._reconciler = Reconciler(
            cache=self._cache,
            queue=self._queue,
            deadlines=self._deadlines,
            applier=Applier(api, self._cache, self._asker, EventRecorder(api), clock),
            catalogue=catalogue.current,
            clock=clock,
        )

    def observe_instance(self, kind: str | None, raw: JsonObject) -> None:
        """Take in an event of the watch: ADDED, MODIFIED, DELETED, None for listed ones."""
        instance = TrainingInstance.from_api(raw)
        if kind == _DELETED:
            self._cache.remove_instance(instance.key, instance.uid)
        else:
            self._cache.store_instance(instance)

    def observe_pod(self, kind: str | None, raw: JsonObject) -> None:
        """Take in an event of the watch: ADDED, MODIFIED, DELETED, None for listed ones."""
        pod = Pod.from_api(raw)
        if kind == _DELETED:
            self._cache.remove_pod(pod.key, pod.uid)
        else:
            self._cache.store_pod(pod)

    async def synchronise(self) -> None:
        """Learn of everything there is. Nothing is decided before: what is not known is not gone.

        Raises:
            ApiError: a list cannot be had.
        """
        await self._resync.once()

    async def run(self) -> None:
        """Reconcile until cancelled; ``synchronise`` comes first."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(self._workers):
                    tasks.create_task(self._reconciler.work(), name=f"worker {number}")
                tasks.create_task(
                    self._deadlines.run(self._queue.add, self._clock), name="deadlines"
                )
                tasks.create_task(self._resync.run(), name="resync")
                tasks.create_task(self._catalogue.watch(self._plan_anew), name="catalogue")
        finally:
            await self._asker.close()

    def vital_signs(self) -> dict[str, int]:
        """Return a few numbers for the liveness endpoint."""
        return {
            "instances": len(self._cache.instances),
            "pods": len(self._cache.pods),
            "queued": len(self._queue),
            "deadlines": len(self._deadlines),
        }

    def _plan_anew(self) -> None:
        """Look at everything again: another catalogue has other environments."""
        self._cache.forget_refusals()
        for key in self._cache.all_keys():
            self._queue.add(key)
