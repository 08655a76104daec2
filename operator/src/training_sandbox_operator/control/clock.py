"""The time that deadlines are measured by: the API server's, not this machine's."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from training_sandbox_operator.control.election import boot_clock

# The header tells whole seconds.
_PRECISION = timedelta(seconds=1)


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class ClusterClock:
    """A clock that agrees with the API server's, which has dated all objects.

    The clock of this machine may be wrong, or be set at any time; what it says then must not end
    the instances of a whole cluster. It is read once. From then on time passes by a monotonic
    clock, and every answer of the API server tells whether this is still its time.

    Args:
        wall: the clock of this machine.
        monotonic: seconds that nobody sets.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = _wall_clock,
        monotonic: Callable[[], float] = boot_clock,
    ) -> None:
        self._monotonic = monotonic
        self._origin = wall() - timedelta(seconds=monotonic())
        self._last_date = ""

    def now(self) -> datetime:
        """Return the present time."""
        return self._origin + timedelta(seconds=self._monotonic())

    def observe(self, date: str, seconds: float) -> None:
        """Take in an answer's Date header; a time that it rules out is not kept.

        Where the API server is not quite followed this clock is late: nothing is to end early.

        Args:
            date: the header, in whole seconds.
            seconds: how long the answer took.
        """
        if date == self._last_date:
            return
        self._last_date = date
        with contextlib.suppress(ValueError):
            earliest = parsedate_to_datetime(date)
            latest = earliest + _PRECISION + timedelta(seconds=seconds)
            now = self.now()
            if not earliest <= now <= latest:
                self._origin += earliest - now
