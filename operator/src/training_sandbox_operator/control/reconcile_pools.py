"""The reconciliation of pools: promises at once, everything else ten times a second at most."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime

from training_sandbox_operator.control.apply import Applier
from training_sandbox_operator.control.attempts import Attempts
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.deadlines import Deadlines
from training_sandbox_operator.control.work_queue import WorkQueue
from training_sandbox_operator.decisions.actions import (
    Action,
    CreateWarmPod,
    DeletePod,
    DeleteWarmPod,
    WritePoolStatus,
)
from training_sandbox_operator.decisions.pool_plan import plan_pool
from training_sandbox_operator.logs import about
from training_sandbox_operator.metrics import Metrics
from training_sandbox_operator.model.catalogue import Catalogue
from training_sandbox_operator.model.names import POOL_KIND, Key

_PAUSE_SECONDS = 0.1
_WARM_UPS_AT_ONCE = 8


class PoolReconciler:
    """Makes true what pools ask for, with few requests at once: claims and deletions come first.

    Args:
        cache: what is known.
        queue: the pools to look at.
        deadlines: when to look at a pool although nothing has happened.
        applier: carries out actions.
        catalogue: returns the catalogue that holds now.
        clock: the present time.
        metrics: told of every reconciliation.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        queue: WorkQueue[Key],
        deadlines: Deadlines[Key],
        applier: Applier,
        catalogue: Callable[[], Catalogue],
        clock: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._applier = applier
        self._catalogue = catalogue
        self._clock = clock
        self._metrics = metrics
        self._attempts = Attempts(queue=queue, deadlines=deadlines, clock=clock, what="pool ")

    async def work(self) -> None:
        """Reconcile one pool after the other, for ever. Any number of these may run."""
        loop = asyncio.get_running_loop()
        while True:
            key = await self._queue.get()
            try:
                await self.reconcile(key)
            finally:
                # What happens to a pool in the meantime is looked at together.
                loop.call_later(_PAUSE_SECONDS, self._queue.done, key)

    def try_again(self) -> None:
        """Have everything tried at once that failed while the API server was away."""
        self._attempts.try_again()

    async def reconcile(self, key: Key) -> None:
        """Make one plan and carry it out; what fails is tried again later."""
        with about(POOL_KIND, key), self._metrics.reconciliation("pool") as outcome:
            await self._attempts.make(key, self._reconcile, outcome)

    async def _reconcile(self, key: Key) -> datetime | None:
        situation = self._cache.pool_situation(key, self._catalogue())
        decided = plan_pool(situation, self._clock())
        deletions = [one for one in decided.actions if isinstance(one, DeleteWarmPod)]
        leaving = [one.pod.key for one in deletions]
        # Before anything is awaited: nobody is to be promised what is about to be deleted.
        if leaving:
            self._cache.pools.set_leaving(key, leaving)
        try:
            await self._apply_all(iter(deletions))
        finally:
            self._cache.pools.set_staying(key, leaving)
        creations = iter([one for one in decided.actions if isinstance(one, CreateWarmPod)])
        await self._apply_all(
            creations, lambda: self._cache.pools.refusal_of(key) == situation.refusal
        )
        for action in decided.actions:
            if isinstance(action, WritePoolStatus):
                await self._applier.apply(action)
        # Last: where that is refused the pool is served all the same.
        await self._apply_all(iter([one for one in decided.actions if isinstance(one, DeletePod)]))
        return decided.deadline

    async def _apply_all(
        self, actions: Iterator[Action], goes_on: Callable[[], bool] = lambda: True
    ) -> None:
        """Carry out the actions, a few at once, while it is of use; raise what one has raised."""

        async def one_after_the_other() -> None:
            for action in actions:
                if not goes_on():
                    return
                await self._applier.apply(action)

        ended = await asyncio.gather(
            *(one_after_the_other() for _ in range(_WARM_UPS_AT_ONCE)), return_exceptions=True
        )
        for result in ended:
            if isinstance(result, BaseException):
                raise result
