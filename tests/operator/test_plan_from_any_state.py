"""From any state of an instance, its pods, its pool and its server, the decision comes to rest.

The states are drawn, not reached: an edit by hand, another version of the operator or two of them
may have left anything behind.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import assume, event, given, settings

from tests.operator.drawn_worlds import worlds
from tests.operator.standing_world import World
from training_sandbox_operator.decisions.actions import ClaimPod, CreatePod, DeleteInstance
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.model.instance import TrainingInstance

MOST_ROUNDS = 8


def rest(world: World) -> None:
    """Do what the plan wants until it wants nothing."""
    for _ in range(MOST_ROUNDS):
        decided = plan(world.situation, world.now)
        for action in decided.actions:
            world.apply(action)
        if not decided.actions:
            return
    raise AssertionError(f"the operator does not come to rest: {decided.actions}")


def resting_state(instance: TrainingInstance | None) -> str:
    if instance is None:
        return "gone"
    if instance.is_being_deleted:
        return "being deleted"
    if instance.phase is None:
        return "untold, for its pod may have a node soon"
    token = " with a token" if "tokenSecret" in instance.status else ""
    conditions = instance.status.get("conditions") or [{"reason": "?"}]
    return f"{instance.phase}, {conditions[0]['reason']}{token}"


@settings(max_examples=500)
@given(world=worlds())
def test_it_comes_to_rest_and_looks_again_in_time(world: World) -> None:
    rest(world)
    decided = plan(world.situation, world.now)
    assert decided.actions == ()
    instance = world.situation.instance
    event(f"rests {resting_state(instance)}")
    if instance is not None and not instance.is_being_deleted:
        waits_for_pool = instance.pool_name is not None and instance.pod_uid is None
        assert decided.deadline is not None or waits_for_pool
    if decided.deadline is not None:
        assert decided.deadline > world.now


@settings(max_examples=500)
@given(world=worlds())
def test_at_most_one_pod_is_made_or_taken_and_none_when_there_was_one(world: World) -> None:
    assume(world.situation.instance is not None)
    had_one = world.instance.pod_uid is not None or world.situation.pod is not None
    rest(world)
    taken = [one for one in world.done if isinstance(one, CreatePod | ClaimPod)]
    if world.accepts:
        assert len(taken) <= (0 if had_one else 1)


@settings(max_examples=500)
@given(world=worlds())
def test_what_is_deleted_was_due(world: World) -> None:
    assume(world.situation.instance is not None)
    rest(world)
    if not any(isinstance(one, DeleteInstance) for one in world.done):
        return
    statuses = [one.instance for one in world.done if isinstance(one, DeleteInstance)]
    (instance,) = statuses
    lived = world.now >= instance.expires_at(None, failed=False)
    stayed = instance.is_terminal and world.now >= instance.expires_at(
        instance.finished_at, failed=instance.phase == "Failed"
    )
    is_idle = instance.phase == "Ready" and instance.idle_timeout <= timedelta(seconds=400)
    assert lived or stayed or is_idle
