"""How many warm pods a pool is to have."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from training_sandbox_operator.decisions.pool_members import Members
from training_sandbox_operator.model.demand import MEMORY
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.situation import PoolSituation

_HEADROOM = 1.5
_UNKNOWN_START = timedelta(seconds=30)
_SAMPLES = 16
_PERIOD = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class PoolSize:
    """How many there are to be now, and when it is to be thought over although nothing happens."""

    target: int
    changes_at: datetime | None = None


def pool_size(
    situation: PoolSituation, pool: TrainingPool, members: Members, now: datetime
) -> PoolSize:
    """Return how many warm pods there are to be.

    A pool that follows demand has one for every instance that waits, and so many more as are
    claimed, half as many again, while a pod starts. It shrinks as the claims of the last minutes
    are forgotten, and not before the operator has watched for that long.
    """
    if not pool.follows_demand:
        return PoolSize(pool.fewest)
    demand = situation.demand
    if demand is None:
        return PoolSize(_within(pool, max(_as_before(pool, members), situation.waiting)))
    wanted = situation.waiting + _claimed_while_starting(demand.rate(now), members.current)
    kept, known_at = 0, None
    if not demand.is_known(now):
        kept, known_at = _as_before(pool, members), demand.known_since + 2 * MEMORY
    target = _within(pool, max(wanted, kept))
    is_falling = target > max(kept, pool.fewest)
    return PoolSize(target, now + _PERIOD if is_falling else known_at)


def _as_before(pool: TrainingPool, members: Members) -> int:
    """Return how many pods there are, without those that are to replace others."""
    told: int = pool.status.get("targetReplicas", members.alive)
    return min(members.alive, told)


def _claimed_while_starting(rate: float, pods: Sequence[Pod]) -> int:
    """Return how many pods are claimed while one starts, with headroom.

    One that would be made if there were none is kept: how soon it was ready is forgotten with it.
    """
    by_known, by_unknown = (
        math.ceil(round(rate * start.total_seconds() * _HEADROOM, 1))
        for start in (_start_of(pods), _UNKNOWN_START)
    )
    return max(by_known, min(by_unknown, 1))


def _within(pool: TrainingPool, wanted: int) -> int:
    return min(max(wanted, pool.fewest), pool.most)


def _start_of(pods: Sequence[Pod]) -> timedelta:
    """Return how long the pods took to become ready, by and large."""
    seconds = [
        (pod.readiness_changed_at - pod.created_at).total_seconds()
        for pod in pods
        if pod.is_ready and pod.readiness_changed_at is not None and pod.created_at is not None
    ][-_SAMPLES:]
    if not seconds:
        return _UNKNOWN_START
    return timedelta(seconds=max(statistics.median(seconds), 1.0))
