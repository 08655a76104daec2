"""When to send a call again, and how long to wait before. Pure apart from clock and dice."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from training_sandbox._exceptions import (
    CallTimedOut,
    ConnectionFailed,
    SandboxBooting,
    TrainingSandboxError,
    Unavailable,
)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
UNANSWERED = (ConnectionFailed, CallTimedOut)
"""Errors that leave open whether the server executed the call."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the moment so many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left, not below zero."""
        return max(0.0, self.at - time.monotonic())


def pause_before(attempt: int) -> float:
    """Return the seconds to wait before the given further attempt (1, 2, …).

    Doubles from 0.1 s to 5 s; half of it is random, so that clients which failed together do
    not come back together.
    """
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(attempt - 1, 16))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 (jitter, not cryptography)


@dataclass(slots=True)
class RetryPolicy:
    """Decides for one call, failure by failure.

    Every verb may be sent again after a lost answer, because ids and step indexes make the
    server execute it once. So what matters is only whether it can help:

    * connection trouble: until the deadline, but no longer than ``patience`` seconds on end;
    * silence: until the deadline;
    * a booting server: until the deadline, as the server asks;
    * a refusal of ``waits_out``: likewise;
    * anything else is an answer.

    An attempt that would have less than ``least_attempt`` seconds is not begun: its time-out
    would hide what the server said before.
    """

    deadline: Deadline
    patience: float
    least_attempt: float
    waits_out: tuple[type[Unavailable], ...]
    _attempts: int = 0
    _trouble_until: Deadline | None = field(default=None)

    def pause_after(self, failure: TrainingSandboxError) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up."""
        if not self._can_help(failure):
            return None
        self._attempts += 1
        pause = pause_before(self._attempts)
        if isinstance(failure, ConnectionFailed):
            self._trouble_until = self._trouble_until or Deadline.after(self.patience)
            if pause >= self._trouble_until.remaining():
                return None
        else:
            self._trouble_until = None
        if isinstance(failure, Unavailable):
            pause = max(pause, failure.retry_after or 0.0)
        return pause if pause + self.least_attempt < self.deadline.remaining() else None

    def _can_help(self, failure: TrainingSandboxError) -> bool:
        return isinstance(failure, (*UNANSWERED, SandboxBooting, *self.waits_out))
