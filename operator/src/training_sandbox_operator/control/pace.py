"""How many starts may be under way: fewer while the cluster is busy."""

from typing import Final

# A write that the API server has nothing to wait for takes so long.
_QUICK_SECONDS: Final = 0.005
_TOO_SLOW: Final = 2.5
_WORST: Final = 4.0
_WEIGHT_OF_ONE: Final = 0.2
_INCREASE: Final = 0.1
_DECREASE: Final = 0.95
# What is quick is soon learned, from several writes, and slowly forgotten: a cluster may become
# slower for good.
_WEIGHT_OF_A_QUICKER: Final = 0.2
_FORGETTING: Final = 1.0003


class Pace:
    """Finds how many instances can start at once without those that have started waiting for it.

    A start makes the scheduler, the kubelet and the API server work long after its own write, and
    nothing tells how much of that there still is. But it shows in how long the writing of a status
    usually takes. While that is 2.5 times what the quickest of them take, starts become fewer,
    down to one at a time; else they become more again.

    Args:
        most: how many starts may be under way at any time; one is until its pod is created.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._limit = self._most
        self._quickest = 0.0
        self._usual: float | None = None

    @property
    def starts_at_once(self) -> int:
        """How many starts may be under way now; at least one."""
        return int(self._limit)

    def observe(self, seconds: float) -> None:
        """Take in how long the writing of a status has taken, or was tried for."""
        if self._usual is None:
            self._usual = self._quickest = seconds
        slow = _TOO_SLOW * max(self._quickest, _QUICK_SECONDS)
        # One write that took a minute says no more than one that was slow.
        self._usual += _WEIGHT_OF_ONE * (min(seconds, _WORST * slow) - self._usual)
        self._quickest *= _FORGETTING
        self._quickest -= _WEIGHT_OF_A_QUICKER * max(self._quickest - seconds, 0.0)
        if self._usual > slow:
            self._limit = max(1.0, self._limit * _DECREASE)
        else:
            self._limit = min(self._most, self._limit + _INCREASE)
