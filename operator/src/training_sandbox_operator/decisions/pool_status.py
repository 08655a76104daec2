"""The status of a pool, built so that the same input gives an equal status."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from training_sandbox_operator.decisions.conditions import renew_condition
from training_sandbox_operator.decisions.overrides import forbidden_override
from training_sandbox_operator.decisions.pool_members import Members
from training_sandbox_operator.model.names import INSTANCE_LABEL, POOL_LABEL
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.reasons import PoolReason, Reason
from training_sandbox_operator.model.situation import PoolSituation

Status = dict[str, Any]

_OBSTACLES = frozenset(
    {Reason.UNSCHEDULABLE, Reason.IMAGE_PULL_FAILED, Reason.CONTAINER_REFUSED, Reason.UNRESPONSIVE}
)


def build_pool_status(
    situation: PoolSituation,
    pool: TrainingPool,
    members: Members,
    *,
    target: int,
    template: str | None,
    now: datetime,
) -> Status:
    """Return the status that the pool's warm pods make."""
    status: Status = {
        "observedGeneration": pool.generation,
        "replicas": members.alive,
        "readyReplicas": members.ready,
        "updatedReplicas": len(members.current),
        "targetReplicas": target,
        "waitingClaims": situation.waiting,
        "selector": f"{POOL_LABEL}={pool.key.name},!{INSTANCE_LABEL}",
    }
    if template is not None:
        status["templateHash"] = template
    is_filled, reason, message = _fullness(situation, pool, members, target)
    outdated = len(members.outdated)
    before: Mapping[str, Mapping[str, Any]] = {
        one["type"]: one for one in pool.status.get("conditions") or ()
    }
    status["conditions"] = [
        renew_condition(
            before.get("Ready", {}),
            kind="Ready",
            is_true=is_filled,
            reason=reason,
            message=message,
            now=now,
        ),
        renew_condition(
            before.get("Current", {}),
            kind="Current",
            is_true=not outdated,
            reason=PoolReason.REPLACING if outdated else PoolReason.ALL_CURRENT,
            message=(
                f"{outdated} warm pods are of an earlier template or too old"
                if outdated
                else "all warm pods are of the present template"
            ),
            now=now,
        ),
    ]
    return status


def _fullness(
    situation: PoolSituation, pool: TrainingPool, members: Members, target: int
) -> tuple[bool, str, str]:
    """Return whether the pool is as full as it is to be, and why or why not."""
    if situation.environment is None:
        known = ", ".join(situation.known_environments) or "none"
        message = f"the catalogue has no environment {pool.env_type!r}; it has: {known}"
        return False, Reason.UNKNOWN_ENVIRONMENT, message
    forbidden = forbidden_override(pool, situation.environment, situation.allowed)
    if forbidden is not None:
        return False, Reason.OVERRIDE_NOT_ALLOWED, forbidden
    if members.ready < target:
        reason, message = _hindrance(situation, members)
        counted = f"{members.ready} of {target} warm pods are ready"
        return False, reason, f"{counted}: {message}" if message else counted
    if target == 0:
        return True, PoolReason.EMPTY_AS_SPECIFIED, "no warm pods are to be kept now"
    return True, PoolReason.FILLED, f"all {target} warm pods are ready"


def _hindrance(situation: PoolSituation, members: Members) -> tuple[str, str]:
    """Return what keeps the pool from being as full as it is to be; no message for time alone."""
    if situation.refusal is not None:
        return situation.refusal.reason, situation.refusal.message
    if members.broken:
        pod, state = members.broken[0]
        return PoolReason.PODS_FAIL, f"pod {pod.key.name} failed: {state.message}"
    if situation.failure is not None:
        return PoolReason.PODS_FAIL, situation.failure.message
    obstacle = members.obstacle
    if obstacle is not None and obstacle.reason in _OBSTACLES:
        return obstacle.reason, obstacle.message
    return PoolReason.FILLING, ""
