"""What follows from an attempt to reconcile a key: it is done, or tried again after a while."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from training_sandbox_operator.cluster.errors import (
    ApiError,
    ConflictError,
    NotFoundError,
    OutdatedError,
    UnavailableError,
)
from training_sandbox_operator.control.deadlines import Deadlines
from training_sandbox_operator.control.rests import Rests
from training_sandbox_operator.control.work_queue import WorkQueue
from training_sandbox_operator.metrics import Outcome
from training_sandbox_operator.model.names import Key

_log = logging.getLogger(__name__)


class Attempts:
    """Makes attempts, of which none that fails ends the process.

    Args:
        queue: knows how often a key has failed in a row.
        deadlines: when to look at a key although nothing has happened.
        clock: the present time.
        what: stands before the key in the log.
    """

    def __init__(
        self,
        *,
        queue: WorkQueue[Key],
        deadlines: Deadlines[Key],
        clock: Callable[[], datetime],
        what: str = "",
    ) -> None:
        self._queue = queue
        self._deadlines = deadlines
        self._clock = clock
        self._what = what
        self._rests: Rests[Key] = Rests()
        self._unanswered: set[Key] = set()

    def try_again(self) -> None:
        """Have everything tried at once that failed for want of an answer: there are some again."""
        for key in self._unanswered:
            self._queue.add(key)
        self._unanswered.clear()

    async def make(
        self, key: Key, attempt: Callable[[Key], Awaitable[datetime | None]], outcome: Outcome
    ) -> None:
        """Make an attempt, unless the key rests.

        Args:
            key: of the instance or the pool.
            attempt: does what there is to do, and returns when to look again.
            outcome: is told of a failure.
        """
        rests_until = self._rests.end_of(key, self._clock())
        if rests_until is not None:
            self._deadlines.set(key, rests_until)
            return
        self._unanswered.discard(key)
        try:
            deadline = await attempt(key)
        except ApiError as error:
            outcome.failure = error.reason
            deadline = self._clock() + self._pause_after(key, error)
        except Exception:  # noqa: BLE001
            # A fault of this program must not stop the other instances and pools.
            outcome.failure = "Fault"
            pause = self._queue.fail(key)
            _log.exception("%s%s: tried again in %.1f s", self._what, key, pause.total_seconds())
            deadline = self._clock() + pause
        else:
            self._queue.succeed(key)
        self._deadlines.set(key, deadline)

    def _pause_after(self, key: Key, error: ApiError) -> timedelta:
        pause = self._queue.fail(key)
        if error.retry_after is not None:
            pause = max(pause, timedelta(seconds=error.retry_after))
            self._rests.begin(key, self._clock() + pause)
        elif isinstance(error, UnavailableError):
            self._unanswered.add(key)
        # What is gone or was changed meanwhile is news that the watch is about to bring.
        is_news = isinstance(error, ConflictError | NotFoundError | OutdatedError)
        _log.log(
            logging.DEBUG if is_news else logging.WARNING,
            "%s%s: tried again in %.1f s: %s",
            self._what,
            key,
            pause.total_seconds(),
            error,
        )
        return pause
