"""The reconciliation of one key: see what is, decide, do it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from training_sandbox_operator.cluster.errors import ApiError, ConflictError, NotFoundError
from training_sandbox_operator.control.apply import Applier
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.deadlines import Deadlines
from training_sandbox_operator.control.rests import Rests
from training_sandbox_operator.control.work_queue import WorkQueue
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.logs import about
from training_sandbox_operator.metrics import Metrics, Outcome
from training_sandbox_operator.model.catalogue import Catalogue
from training_sandbox_operator.model.names import KIND, Key

_log = logging.getLogger(__name__)


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
        self._deadlines = deadlines
        self._applier = applier
        self._catalogue = catalogue
        self._clock = clock
        self._metrics = metrics
        self._rests: Rests[Key] = Rests()

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

    async def reconcile(self, key: Key) -> None:
        """Make one plan and carry it out; what fails is tried again later."""
        with about(KIND, key), self._metrics.reconciliation("instance") as outcome:
            await self._try(key, outcome)

    async def _try(self, key: Key, outcome: Outcome) -> None:
        rests_until = self._rests.end_of(key, self._clock())
        if rests_until is not None:
            self._deadlines.set(key, rests_until)
            return
        try:
            now = self._clock()
            decided = plan(self._cache.situation(key, self._catalogue()), now)
            for action in decided.actions:
                await self._applier.apply(action)
        except ApiError as error:
            outcome.failure = error.reason
            pause = self._queue.fail(key)
            if error.retry_after is not None:
                pause = max(pause, timedelta(seconds=error.retry_after))
                self._rests.begin(key, self._clock() + pause)
            # What is gone or was changed meanwhile is news that the watch is about to bring.
            level = (
                logging.DEBUG
                if isinstance(error, ConflictError | NotFoundError)
                else logging.WARNING
            )
            _log.log(level, "%s: tried again in %.1f s: %s", key, pause.total_seconds(), error)
            self._deadlines.set(key, self._clock() + pause)
        except Exception:  # noqa: BLE001
            # A fault of this program must not stop the other instances.
            outcome.failure = "Fault"
            pause = self._queue.fail(key)
            _log.exception("%s: tried again in %.1f s", key, pause.total_seconds())
            self._deadlines.set(key, self._clock() + pause)
        else:
            self._queue.succeed(key)
            self._deadlines.set(key, decided.deadline)
