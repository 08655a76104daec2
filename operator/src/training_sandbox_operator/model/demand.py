"""How often a pool's pods are claimed."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

MEMORY = timedelta(seconds=60)
"""A claim that was so long ago counts for a third of one of now."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The claims of the last minute or so, each counting less the longer it is ago.

    Attributes:
        known_since: before that nobody has counted.
        at: when ``weight`` was right.
        weight: the sum of what the claims count.
    """

    known_since: datetime
    at: datetime
    weight: float = 0.0

    @classmethod
    def unknown(cls, now: datetime) -> Self:
        """Begin to count."""
        return cls(known_since=now, at=now)

    def with_claim(self, now: datetime) -> Self:
        """Count one more."""
        return replace(self, at=now, weight=self._weight(now) + 1)

    def rate(self, now: datetime) -> float:
        """Return claims a second."""
        return self._weight(now) / MEMORY.total_seconds()

    def claimed_at(self) -> datetime | None:
        """When the last claim was made, None when none was."""
        return self.at if self.weight else None

    def is_known(self, now: datetime) -> bool:
        """Whether it has been counted for long enough to call the demand low."""
        return now - self.known_since >= 2 * MEMORY

    def _weight(self, now: datetime) -> float:
        return self.weight * math.exp(-max((now - self.at) / MEMORY, 0.0))
