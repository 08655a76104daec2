"""The decision which process leads, from what one candidate has seen of the lease.

Nobody compares the clocks of two machines. A candidate takes the lease when it has seen no renewal
for as long as the lease holds, counted from when it saw the last one. The leader counts from when
it asked for its last renewal, which was before anybody could see it, and stops a fifth earlier: its
last writes have an end before the next leader's first.
"""

import enum
import math
from dataclasses import dataclass, replace

from training_sandbox_operator.model.lease import Lease


@dataclass(frozen=True, slots=True)
class Terms:
    """The times of an election, all from one.

    Attributes:
        seconds: how long the lease holds after a renewal.
    """

    seconds: int

    @property
    def valid(self) -> float:
        """How long the leader may act after it asked for its last renewal, in seconds."""
        return 0.8 * self.seconds

    @property
    def renew_every(self) -> float:
        """How long after a renewal the leader asks for the next, in seconds."""
        return self.seconds / 5

    @property
    def look_every(self) -> float:
        """How often the others look at the lease, and a renewal that failed is tried again."""
        return self.seconds / 20

    @property
    def settling(self) -> float:
        """How long the news of a lease that was not given back may spread, in seconds.

        An API server that has it refuses what the former leader has sent. The next one reads what
        is there after that, and so misses none of the writes that were still let through.
        """
        return self.seconds / 10

    @property
    def patience(self) -> float:
        """How long an answer is waited for, in seconds."""
        return self.seconds / 4


class Step(enum.Enum):
    """What a candidate does next."""

    TAKE = "write the record: acquire the lease, or renew it"
    WAIT = "look at the record after a while"
    REST = "lead, and renew the lease after a while"
    STOP = "end at once: another process may lead"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one process knows of the lease. Times are seconds of one monotonic clock of its own.

    Attributes:
        identity: no two processes share one, nor do two lives of one.
        seen: the record as last seen; None when there is none.
        held_until: when the lease runs out that another process was last seen to hold.
        asked_at: when the renewal was asked for that was granted last.
        leads_until: None before the process leads. Once it has led, it leads or ends.
    """

    identity: str
    terms: Terms
    seen: Lease | None = None
    held_until: float = -math.inf
    asked_at: float = -math.inf
    leads_until: float | None = None

    def leads(self, now: float) -> bool:
        """Return whether this process may act."""
        return self.leads_until is not None and now < self.leads_until

    def observe(self, lease: Lease | None, now: float) -> "Candidate":
        """Take in the record as it is, None when there is none."""
        if self.leads_until is not None and (lease is None or lease.holder != self.identity):
            # Even a lease that somebody has deleted: another process may have taken a new one.
            return replace(self, seen=lease, leads_until=-math.inf)
        if lease is None and self.seen is not None:
            # Deleted by somebody: its holder may have renewed it just before, unseen by us.
            return replace(self, seen=None, held_until=now + self.terms.seconds)
        if lease is None:
            return self
        if lease.holder in {"", self.identity}:
            return replace(self, seen=lease, held_until=-math.inf)
        if self.seen is not None and self.seen.version == lease.version:
            return self
        return replace(self, seen=lease, held_until=now + lease.seconds)

    def grant(self, lease: Lease, asked_at: float) -> "Candidate":
        """Take in that the record was written as this process has asked at that time."""
        until = asked_at + self.terms.valid
        return replace(self, seen=lease, asked_at=asked_at, leads_until=until)

    def next_step(self, now: float) -> Step:
        """Return what to do now."""
        if self.leads_until is None:
            return Step.TAKE if now >= self.held_until else Step.WAIT
        if not self.leads(now):
            return Step.STOP
        return Step.TAKE if now >= self.asked_at + self.terms.renew_every else Step.REST
