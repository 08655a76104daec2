"""A pool in a world in which time stands still: what a plan wants is done."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from training_sandbox_operator.decisions.actions import (
    Action,
    CreateWarmPod,
    DeleteWarmPod,
    WritePoolStatus,
)
from training_sandbox_operator.decisions.pool_plan import plan_pool
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.situation import PoolSituation, Refusal
from training_sandbox_operator.model.timestamps import format_timestamp

MOST_ROUNDS = 60
STATUS_PERIOD = timedelta(seconds=1)
GRACE = timedelta(seconds=30)


@dataclass
class PoolWorld:
    """What there is around one pool; the operator acts on it by ``plan_pool`` alone.

    Attributes:
        becomes: the status of a pod that is made.
        accepts: whether the API server accepts pods.
    """

    situation: PoolSituation
    now: datetime
    becomes: Mapping[str, Any]
    accepts: bool
    done: list[Action] = field(default_factory=list[Action])

    @property
    def pool(self) -> TrainingPool:
        assert self.situation.pool is not None
        return self.situation.pool

    @property
    def pods(self) -> list[Pod]:
        """Those that are the pool's, and stay so for all that is known."""
        return [
            pod
            for pod in self.situation.warm
            if pod.terminates_at is None and pod.key not in self.situation.promised
        ]

    def rest(self) -> datetime | None:
        """Do what the plan wants until it wants nothing; return when it is to look again."""
        for _ in range(MOST_ROUNDS):
            decided = plan_pool(self.situation, self.now)
            refusal = self.situation.refusal
            for action in decided.actions:
                if isinstance(action, CreateWarmPod) and self.situation.refusal != refusal:
                    continue
                self.apply(action)
            if not decided.actions:
                return decided.deadline
        raise AssertionError(f"the operator does not come to rest: {self.done[-4:]}")

    def rest_and_tell(self) -> datetime | None:
        """Rest, and let the seconds pass after which the status is written once more."""
        for _ in range(2):
            self.rest()
            self.now += STATUS_PERIOD
        return self.rest()

    def apply(self, action: Action) -> None:
        self.done.append(action)
        match action:
            case CreateWarmPod(manifest=manifest):
                self.create(manifest)
            case DeleteWarmPod(pod=pod, failure=failure):
                self.delete(pod, failure)
            case WritePoolStatus(status=status):
                assert status != self.pool.status, "a write that changes nothing"
                pool = replace(self.pool, status=copy.deepcopy(dict(status)))
                self.change(pool=pool, told_at=self.now)
            case _:
                raise AssertionError(f"{action} is not about a pool")

    def change(self, **parts: Any) -> None:
        self.situation = replace(self.situation, **parts)

    def create(self, manifest: Mapping[str, Any]) -> None:
        metadata = manifest["metadata"]
        key = Key(metadata["namespace"], metadata["name"])
        assert not self.situation.is_taken(key), "a name is given twice"
        if not self.accepts:
            self.change(refusal=self.once_more(self.situation.refusal, "PodRejected"))
            return
        more = {
            "uid": f"made-{key.name}",
            "resourceVersion": "200",
            "creationTimestamp": format_timestamp(self.now),
        }
        spec = {**manifest["spec"], "nodeName": "worker-1"}
        raw = {"metadata": {**metadata, **more}, "spec": spec, "status": self.becomes}
        taken = self.situation.is_taken
        self.change(
            warm=[*self.situation.warm, Pod.from_api(raw)],
            refusal=None,
            is_taken=lambda name: name == key or taken(name),
        )

    def delete(self, pod: Pod, failure: str | None) -> None:
        assert pod in self.situation.warm, "a pod that is not the pool's is deleted"
        assert pod in self.pods, "a pod that is promised, or ending, is deleted"
        ending = replace(pod, terminates_at=self.now + GRACE)
        self.change(warm=[ending if one is pod else one for one in self.situation.warm])
        if failure is not None:
            self.change(failure=self.once_more(self.situation.failure, "PodsFail"))

    def once_more(self, before: Refusal | None, reason: str) -> Refusal:
        if before is not None and self.now < before.retry_at:
            return before
        return Refusal.after(before, self.now, reason, "no")


def claimable(world: PoolWorld) -> int:
    """How many of its pods a claim would get: ready, and of a server whose tokens can be signed."""
    keys = {"", world.situation.public_key}
    return sum(pod.is_ready and bool(pod.ip) and pod.public_key in keys for pod in world.pods)
