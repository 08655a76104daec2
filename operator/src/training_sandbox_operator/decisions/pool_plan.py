"""The decision: what to do about one pool now, and when to look again.

It is level-based as that about an instance is. The names of a pool's pods are derived from numbers,
the least free one first: whoever was not answered, sees an old state of the cluster, or does not
know of another operator meets AlreadyExists instead of making a pod too many. A pod that is claimed
is none of the pool's any more.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain, count, islice

from training_sandbox_operator.decisions.actions import (
    Action,
    CreateWarmPod,
    DeleteWarmPod,
    Plan,
    WritePoolStatus,
)
from training_sandbox_operator.decisions.forced_ends import plan_forced_ends
from training_sandbox_operator.decisions.overrides import forbidden_override
from training_sandbox_operator.decisions.pod_spec import build_warm_pod, template_hash
from training_sandbox_operator.decisions.pool_members import Members, sort_members
from training_sandbox_operator.decisions.pool_size import pool_size
from training_sandbox_operator.decisions.pool_status import Status, build_pool_status
from training_sandbox_operator.model.names import Key, warm_pod_name
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.situation import PoolSituation

CREATED_AT_ONCE = 64
"""After so many creations the pool is looked at again."""

_STATUS_PERIOD = timedelta(seconds=1)
_BURST = timedelta(seconds=1)
_LEAST_STOCK = 4
"""A pool that has more than this part of its pods lets claims go first: while a claim is on its way
it makes none, and between claims one at a time."""


def plan_pool(situation: PoolSituation, now: datetime) -> Plan:
    """Return what is to be done about a pool and its warm pods."""
    forced = plan_forced_ends(situation.ending, now)
    pool = situation.pool
    if pool is None or pool.is_being_deleted:
        return forced
    environment = situation.environment
    template = (
        template_hash(pool, environment, situation.public_key) if environment is not None else None
    )
    members = sort_members(situation, pool, template, now)
    size = pool_size(situation, pool, members, now)
    status = build_pool_status(
        situation, pool, members, target=size.target, template=template, now=now
    )
    parts = [
        forced,
        Plan(tuple(DeleteWarmPod(pool, pod) for pod in members.surplus(size.target))),
        _plan_broken(situation, pool, members, now),
        _plan_creation(situation, pool, members, size.target, now),
        _plan_status(situation, pool, status, now),
    ]
    actions = tuple(action for part in parts for action in part.actions)
    moments = (members.changes_at, size.changes_at, *(part.deadline for part in parts))
    return Plan(actions, min((one for one in moments if one is not None), default=None))


def _plan_broken(
    situation: PoolSituation, pool: TrainingPool, members: Members, now: datetime
) -> Plan:
    """Delete pods of no use, but not one after the other as fast as they fail."""
    if not members.broken:
        return Plan()
    failure = situation.failure
    if failure is not None and now < failure.retry_at:
        return Plan(deadline=failure.retry_at)
    return Plan(
        tuple(
            DeleteWarmPod(pool, pod, failure=f"pod {pod.key.name} failed: {state.message}")
            for pod, state in members.broken
        )
    )


def _plan_creation(
    situation: PoolSituation, pool: TrainingPool, members: Members, target: int, now: datetime
) -> Plan:
    environment, refusal = situation.environment, situation.refusal
    lacking = members.lacking(target)
    if environment is None or not lacking:
        return Plan()
    if forbidden_override(pool, environment, situation.allowed) is not None:
        return Plan()
    if refusal is not None and now < refusal.retry_at:
        return Plan(deadline=refusal.retry_at)
    burst_ends_at = _burst_ends_at(situation, now)
    is_claimed = burst_ends_at is not None or bool(situation.promised)
    gives_way = is_claimed and members.ready * _LEAST_STOCK > target
    if gives_way and burst_ends_at is not None and situation.promised:
        return Plan(deadline=burst_ends_at)
    # What was refused is tried with one pod, and not with as many as there are to be.
    at_once = 1 if refusal is not None or gives_way else min(lacking, CREATED_AT_ONCE)
    creations: list[Action] = [
        CreateWarmPod(pool, build_warm_pod(pool, environment, number, situation.public_key), number)
        for number in islice(_free_numbers(situation, pool), at_once)
    ]
    return Plan(tuple(creations))


def _burst_ends_at(situation: PoolSituation, now: datetime) -> datetime | None:
    """Return until when the API server is left to claims; None when there are none."""
    claimed_at = situation.demand.claimed_at() if situation.demand is not None else None
    ends_at = claimed_at + _BURST if claimed_at is not None else now
    return ends_at if now < ends_at else None


def _plan_status(
    situation: PoolSituation, pool: TrainingPool, status: Status, now: datetime
) -> Plan:
    """Write the status, but not more often than once a second."""
    if status == pool.status:
        return Plan()
    due_at = situation.told_at + _STATUS_PERIOD if situation.told_at is not None else now
    if now < due_at:
        return Plan(deadline=due_at)
    return Plan((WritePoolStatus(pool, status),))


def _free_numbers(situation: PoolSituation, pool: TrainingPool) -> Iterator[int]:
    """Yield numbers of which no pod is known, first those of which one may be there."""
    others = (number for number in count() if number not in situation.unanswered)
    for number in chain(sorted(situation.unanswered), others):
        name = warm_pod_name(pool.key.name, pool.uid, number)
        if not situation.is_taken(Key(pool.key.namespace, name)):
            yield number
