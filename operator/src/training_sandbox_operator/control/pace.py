"""How many starts may be under way: fewer while the cluster is busy."""

import math
from typing import Final

# Of a write that the API server has nothing to wait for; a slow disk or a long way make it slower.
_QUICK_SECONDS: Final = 0.005
_TOO_SLOW: Final = 3.0
_WEIGHT_OF_ONE: Final = 0.2
_INCREASE: Final = 0.1
_DECREASE: Final = 0.95


class Pace:
    """Finds how many instances can start at once without those that have started waiting for it.

    A start makes the scheduler, the kubelet and the API server work long after its own write, and
    nothing tells how much of that there still is. But it shows in how long the writing of a status
    takes. While that is three times what it took when it was quickest, starts become fewer, down to
    one at a time; else they become more again. Slow increase and quick decrease, as TCP has them.

    Args:
        most: how many starts may be under way at any time.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._limit = self._most
        self._quickest = math.inf
        self._usual = 0.0

    @property
    def starts_at_once(self) -> int:
        """How many starts may be under way now; at least one."""
        return int(self._limit)

    def observe(self, seconds: float) -> None:
        """Take in how long the writing of a status has taken."""
        weight = _WEIGHT_OF_ONE if self._usual else 1.0
        self._usual += weight * (seconds - self._usual)
        self._quickest = min(self._quickest, seconds)
        if self._usual > _TOO_SLOW * max(self._quickest, _QUICK_SECONDS):
            self._limit = max(1.0, self._limit * _DECREASE)
        else:
            self._limit = min(self._most, self._limit + _INCREASE)
