"""The reconciliation of one key: see what is, decide, do it."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from training_sandbox_operator.control.apply import Applier
from training_sandbox_operator.control.attempts import Attempts
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.deadlines import Deadlines
from training_sandbox_operator.control.work_queue import WorkQueue
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.logs import about
from training_sandbox_operator.metrics import Metrics
from training_sandbox_operator.model.catalogue import Catalogue
from training_sandbox_operator.model.names import KIND, Key


class Reconciler:
    """Takes keys from the queue and makes true what their instances ask for.

    A plan is made from the cache. What its actions bring about changes the cache, and every change
    of the cache puts the key into the queue again: so it goes on until a plan has nothing to do.

    Args:
        cache: what is known.
        queue: the keys to look at.
        deadlines: when to look at a key although nothing has happened.
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
        self._attempts = Attempts(queue=queue, deadlines=deadlines, clock=clock)

    async def work(self) -> None:
        """Reconcile one key after the other, for ever. Any number of these may run."""
        while True:
            key = await self._queue.get()
            try:
                await self.reconcile(key)
            finally:
                self._queue.done(key)
            # A plan that has nothing to do waits for nothing: thousands of them must not hold up
            # the watches, the probes and the lease.
            await asyncio.sleep(0)

    def try_again(self) -> None:
        """Have everything tried at once that failed while the API server was away."""
        self._attempts.try_again()

    async def reconcile(self, key: Key) -> None:
        """Make one plan and carry it out; what fails is tried again later."""
        with about(KIND, key), self._metrics.reconciliation("instance") as outcome:
            await self._attempts.make(key, self._reconcile, outcome)

    async def _reconcile(self, key: Key) -> datetime | None:
        decided = plan(self._cache.situation(key, self._catalogue()), self._clock())
        for action in decided.actions:
            await self._applier.apply(action)
        return decided.deadline
