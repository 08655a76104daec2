"""The controller: the parts of the loop put together."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import aiohttp

from training_sandbox_operator.cluster.admission import Urgency
from training_sandbox_operator.cluster.events import EventRecorder
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.cluster.secrets import Secrets
from training_sandbox_operator.control.apply import Applier
from training_sandbox_operator.control.asking import Asker
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.catalogue_file import CatalogueFile
from training_sandbox_operator.control.deadlines import Deadlines
from training_sandbox_operator.control.feeds import Feeds, Source
from training_sandbox_operator.control.journeys import Journeys
from training_sandbox_operator.control.pace import Pace
from training_sandbox_operator.control.pool_table import PoolTable
from training_sandbox_operator.control.reconcile import Reconciler
from training_sandbox_operator.control.reconcile_pools import PoolReconciler
from training_sandbox_operator.control.signing_key import SigningKey
from training_sandbox_operator.control.work_queue import WorkQueue
from training_sandbox_operator.metrics import Metrics
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import JsonObject, Key
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.reasons import Phase
from training_sandbox_operator.model.token_secret import TokenSecret

_ADDED = "ADDED"
_DELETED = "DELETED"
_POOLS_AT_ONCE = 4


def _namespace_of(key: Key) -> str:
    return key.namespace


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


class Controller:
    """Reconciles every instance and every pool of some namespaces.

    Args:
        api: the API server.
        session: for asking servers; belongs to the caller.
        catalogue: the environments.
        namespaces: the namespaces to serve; None stands for all of them.
        workers: how many keys are reconciled at once, and so how many writes are under way; half
            of them at most start instances.
        clock: the present time.
        metrics: what is counted; the gauges are set by ``set_gauges``.
        signing_key: the Secret with the key that tokens are signed with; None for no tokens.
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
        metrics: Metrics | None = None,
        signing_key: Key | None = None,
    ) -> None:
        self._metrics = metrics = metrics or Metrics()
        self._journeys = Journeys(metrics)
        self._pace = Pace(max(1, min(workers // 2, Urgency.START)))
        self._queue: WorkQueue[Key] = WorkQueue(
            _namespace_of,
            is_start=self._is_start,
            starts_at_once=lambda: self._pace.starts_at_once,
        )
        self._deadlines: Deadlines[Key] = Deadlines(partial(metrics.observe_late, "instance"))
        self._pool_queue: WorkQueue[Key] = WorkQueue(_namespace_of)
        self._pool_deadlines: Deadlines[Key] = Deadlines(partial(metrics.observe_late, "pool"))
        self._claims: WorkQueue[Key] = WorkQueue(_namespace_of)
        self._cache = Cache(
            self._queue.add,
            PoolTable(
                on_change=self._pool_queue.add,
                on_claims=self._claims.add,
                on_news=self._queue.add_urgent,
                clock=clock,
            ),
        )
        self._catalogue = catalogue
        self._signing_key = SigningKey(api, signing_key, clock)
        self._api = api
        self._feeds = Feeds(self._sources(api, has_tokens=signing_key is not None), namespaces)
        self._asker = Asker(
            session, self._cache, clock, self._signing_key.headers_for, api.may_write
        )
        self._workers = workers
        self._is_synchronised = False
        self._clock = clock
        self._recorder = EventRecorder(api, metrics)
        applier = Applier(
            api=api,
            cache=self._cache,
            asker=self._asker,
            recorder=self._recorder,
            clock=clock,
            metrics=metrics,
            journeys=self._journeys,
            pace=self._pace,
            signing_key=self._signing_key,
        )
        self._reconciler = Reconciler(
            cache=self._cache,
            queue=self._queue,
            deadlines=self._deadlines,
            applier=applier,
            catalogue=catalogue.current,
            clock=clock,
            metrics=metrics,
        )
        self._pool_reconciler = PoolReconciler(
            cache=self._cache,
            queue=self._pool_queue,
            deadlines=self._pool_deadlines,
            applier=applier,
            catalogue=catalogue.current,
            clock=clock,
            metrics=metrics,
        )

    def _is_start(self, key: Key) -> bool:
        return self._cache.awaits_start(key, self._clock())

    def _look_in_time(self, key: Key) -> None:
        """Look at an instance whose time has come: before others, unless it waits for a node."""
        (self._queue.add_urgent if self._cache.is_told(key) else self._queue.add)(key)

    def observe_instance(self, kind: str | None, raw: JsonObject) -> None:
        """Take in an event of a watch: ADDED, MODIFIED, DELETED, None for listed ones."""
        instance = TrainingInstance.from_api(raw)
        if kind == _DELETED:
            self._journeys.forget(instance.uid)
            self._cache.bury_instance(instance.key, instance.uid)
        else:
            if kind == _ADDED:
                self._journeys.begin(instance)
            self._cache.store_instance(instance)

    def _remove_instance(self, key: Key, uid: str) -> None:
        """Take in that an instance went unseen: a list does not have it."""
        self._journeys.forget(uid)
        self._cache.remove_instance(key, uid)

    def observe_pool(self, kind: str | None, raw: JsonObject) -> None:
        """Take in an event of a watch: ADDED, MODIFIED, DELETED, None for listed ones."""
        pool = TrainingPool.from_api(raw)
        if kind == _DELETED:
            self._cache.pools.bury_pool(pool.key, pool.uid)
        else:
            self._cache.pools.store_pool(pool)

    def observe_pod(self, kind: str | None, raw: JsonObject) -> None:
        """Take in an event of a watch: ADDED, MODIFIED, DELETED, None for listed ones."""
        pod = Pod.from_api(raw)
        if kind == _DELETED:
            self._cache.bury_pod(pod)
        else:
            self._cache.store_pod(pod)

    def compare_soon(self) -> None:
        """Take in that a watch has begun anew, and does not tell what went meanwhile."""
        self._feeds.compare_soon()

    def observe_secret(self, kind: str | None, raw: JsonObject) -> None:
        """Take in an event of a watch: ADDED, MODIFIED, DELETED, None for listed ones."""
        secret = TokenSecret.from_api(raw)
        if kind == _DELETED:
            self._cache.bury_secret(secret)
        else:
            self._cache.store_secret(secret)

    def _sources(self, api: KubernetesApi, *, has_tokens: bool) -> tuple[Source, ...]:
        """Return the kinds of objects.

        The instances come before the pods: a pod that a listed instance's status names was there
        before, so when the list of pods does not have it, it is gone.
        """
        cache = self._cache
        secrets = Secrets(api)
        tokens = Source(
            "Secrets with tokens",
            secrets.list,
            secrets.watch,
            self.observe_secret,
            lambda: cache.secrets,
            cache.remove_secret,
        )
        return (
            Source(
                "pools",
                api.list_pools,
                None,
                self.observe_pool,
                lambda: cache.pools.pools,
                cache.pools.remove_pool,
            ),
            Source(
                "instances",
                api.list_instances,
                api.watch_instances,
                self.observe_instance,
                lambda: cache.instances,
                self._remove_instance,
            ),
            Source(
                "pods",
                api.list_pods,
                api.watch_pods,
                self.observe_pod,
                lambda: cache.pods,
                cache.remove_pod,
            ),
            *([tokens] if has_tokens else []),
        )

    async def synchronise(self) -> None:
        """Learn of everything there is. Nothing is decided before: what is not known is not gone.

        Raises:
            ApiError: a list cannot be had.
            SigningKeyError: the signing key cannot be used.
        """
        await self._signing_key.adopt()
        self._cache.set_public_key(self._signing_key.public_key)
        await self._feeds.synchronise()
        if not self._is_synchronised:
            # Not before: the first answers of the API server have told the time.
            self._cache.set_asks_since(self._clock())
            self._is_synchronised = True

    async def run(self) -> None:
        """Reconcile until cancelled; ``synchronise`` comes first."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(self._workers):
                    tasks.create_task(self._reconciler.work(), name=f"worker {number}")
                for number in range(_POOLS_AT_ONCE):
                    tasks.create_task(
                        self._pool_reconciler.work(), name=f"worker {number} of pools"
                    )
                tasks.create_task(self._share_out(), name="claims")
                tasks.create_task(self._recorder.run(), name="events")
                tasks.create_task(
                    self._deadlines.run(self._look_in_time, self._clock), name="deadlines"
                )
                tasks.create_task(
                    self._pool_deadlines.run(self._pool_queue.add, self._clock),
                    name="deadlines of pools",
                )
                tasks.create_task(self._feeds.run(), name="feeds")
                tasks.create_task(self._heed_outages(), name="outages")
                tasks.create_task(self._signing_key.run(), name="signing key")
                tasks.create_task(self._catalogue.watch(self._plan_anew), name="catalogue")
        finally:
            await self._asker.close()

    async def _share_out(self) -> None:
        """Promise warm pods to instances as soon as there are some, for ever."""
        while True:
            key = await self._claims.get()
            self._cache.pools.share_out(key)
            self._claims.done(key)

    async def _heed_outages(self) -> None:
        """Do what failed while the API server was away as soon as it is back, for ever."""
        while True:
            await self._api.until_back()
            self._reconciler.try_again()
            self._pool_reconciler.try_again()

    def vital_signs(self) -> dict[str, int]:
        """Return a few numbers for the liveness endpoint."""
        return {
            "instances": len(self._cache.instances),
            "pods": len(self._cache.pods),
            "pools": sum(1 for _ in self._cache.pools.pools),
            "queued": len(self._queue) + len(self._pool_queue) + len(self._claims),
            "deadlines": len(self._deadlines) + len(self._pool_deadlines),
        }

    def set_gauges(self) -> None:
        """Tell the metrics what there is now."""
        phases = Counter(one.phase or Phase.PENDING for one in self._cache.instances)
        self._metrics.set_instances({str(phase): phases[phase] for phase in Phase})
        for name, queue in (
            ("instances", self._queue),
            ("pools", self._pool_queue),
            ("claims", self._claims),
        ):
            self._metrics.set_queue(name, depth=len(queue), oldest_seconds=queue.oldest_seconds())
        self._metrics.set_starts_at_once(self._pace.starts_at_once)
        self._metrics.clear_pools()
        for pool in self._cache.pools.pools:
            self._metrics.set_pool(
                *pool.key,
                target=pool.status.get("targetReplicas", 0),
                ready=pool.status.get("readyReplicas", 0),
                waiting=pool.status.get("waitingClaims", 0),
            )

    def _plan_anew(self) -> None:
        """Look at everything again: another catalogue has other environments."""
        self._cache.forget_refusals()
        for key in self._cache.all_keys():
            self._queue.add(key)
