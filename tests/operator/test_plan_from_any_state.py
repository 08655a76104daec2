"""From any state of an instance, its pods, its pool and its server, the decision comes to rest.

The states are drawn, not reached: an edit by hand, another version of the operator or two of them
may have left anything behind. Time stands still; what the plan wants is done, and servers answer as
they were drawn to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from tests.operator import builders as build
from tests.operator.builders import after
from training_sandbox_operator.decisions.actions import (
    Action,
    AskServer,
    BindTask,
    ClaimPod,
    CreatePod,
    DeleteInstance,
    DeletePod,
    WriteStatus,
)
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.decisions.verdict import binding_occasion, readiness_occasion
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.server import (
    ServerAnswer,
    ServerSilence,
    TaskRefusal,
    TaskReport,
)
from training_sandbox_operator.model.situation import Refusal, Situation
from training_sandbox_operator.model.timestamps import format_timestamp

MOST_ROUNDS = 8
OTHER_UID = "ffffffff-0000-1111-2222-333344445555"

moments = st.sampled_from([0, 5, 10, 20, 100, 299, 400, 5000]).map(after)

pod_states = st.one_of(
    st.just({"phase": "Pending"}),
    st.builds(
        lambda reason: build.pod_status(phase="Pending", state=build.waiting(reason)),
        st.sampled_from(["ContainerCreating", "ImagePullBackOff", "CreateContainerError"]),
    ),
    st.builds(
        lambda ready, changed_at, started, restarts: build.pod_status(
            ready=ready,
            ready_changed_at=changed_at,
            started=started,
            restartCount=restarts,
            state=build.running(after(5)),
            lastState=build.terminated(137, "OOMKilled") if restarts else {},
        ),
        st.booleans(),
        moments,
        st.booleans(),
        st.integers(0, 3),
    ),
    st.builds(
        lambda restarts, reason: build.pod_status(
            restartCount=restarts, state=build.waiting(reason), lastState=build.terminated(1)
        ),
        st.integers(1, 4),
        st.just("CrashLoopBackOff"),
    ),
    st.just(build.pod_status(phase="Failed", state=build.terminated(1))),
    st.just({"phase": "Failed", "reason": "Evicted", "message": "disk"}),
    st.builds(
        lambda reason: build.pod_status(
            ready=True,
            state=build.running(),
            conditions=[
                {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "gone"}
            ],
        ),
        st.sampled_from(["DeletionByTaintManager", "EvictionByEvictionAPI"]),
    ),
)

specs = st.fixed_dictionaries(
    {},
    optional={
        "taskId": st.just("t1"),
        "retainFailed": st.booleans(),
        "ttlSeconds": st.sampled_from([10000, 400, 10]),
        "idleTimeoutSeconds": st.sampled_from([10000, 300, 1]),
        "ttlSecondsAfterFinished": st.sampled_from([0, 60, 10000]),
        "poolRef": st.fixed_dictionaries(
            {"name": st.just("warm"), "whenEmpty": st.sampled_from(["Wait", "ColdStart"])}
        ),
        "envType": st.sampled_from(["appworld", "unheard-of"]),
    },
)


@dataclass
class World:
    """What there is around one instance; the operator acts on it by ``plan`` alone.

    Attributes:
        serves: whether the servers of pods answer.
        plays: whether they will play the task.
        accepts: whether the API server accepts pods.
    """

    situation: Situation
    now: datetime
    serves: bool
    plays: bool
    accepts: bool
    is_finished: bool
    done: list[Action] = field(default_factory=list[Action])

    @property
    def instance(self) -> TrainingInstance:
        assert self.situation.instance is not None
        return self.situation.instance

    def apply(self, action: Action) -> None:
        self.done.append(action)
        match action:
            case WriteStatus(status=status):
                assert status != self.instance.status, "a write that changes nothing"
                self.change(instance=replace(self.instance, status=dict(status)))
            case CreatePod():
                self.create_pod()
            case ClaimPod(pod=pod):
                self.claim(pod)
            case DeletePod(uid=uid, force=force):
                self.delete_pod(uid, force=force)
            case DeleteInstance():
                self.change(instance=None)
            case AskServer(occasion=occasion):
                self.change(answer=self.answer(occasion))
            case BindTask(occasion=occasion):
                self.change(answer=self.answer_to_bind(occasion))
            case _:
                pass

    def change(self, **parts: Any) -> None:
        self.situation = replace(self.situation, **parts)

    def create_pod(self) -> None:
        assert self.situation.pod is None, "a second pod is made"
        assert self.instance.pod_uid is None, "a lost pod is made again"
        if not self.accepts:
            self.refuse()
            return
        made = build.pod(self.instance, uid="made", node=None, created_at=self.now)
        self.change(pods=(*self.situation.pods, made), refusal=None, promised=None)

    def claim(self, pod: Pod) -> None:
        assert self.situation.pod is None, "a second pod is claimed"
        assert self.instance.pod_uid is None, "a lost pod is claimed again"
        if not self.accepts:
            self.refuse()
            return
        claimed = build.claimed_pod(self.instance, build.pool(), status=build.serving())
        self.change(
            pods=(*self.situation.pods, replace(claimed, uid=pod.uid)), refusal=None, promised=None
        )

    def refuse(self) -> None:
        failures = self.situation.refusal.failures + 1 if self.situation.refusal else 1
        self.change(refusal=Refusal(self.now, "PodRejected", "exceeded quota", failures))

    def delete_pod(self, uid: str, *, force: bool) -> None:
        pods = {pod.uid: pod for pod in self.situation.pods}
        pod = pods.pop(uid)
        is_own = pod == self.situation.pod
        if force:
            assert pod.terminates_at is not None
            assert self.now >= pod.terminates_at + timedelta(seconds=30)
        else:
            assert not is_own or self.instance.phase == "Failed", "the pod of a living instance"
            pods[uid] = replace(pod, terminates_at=self.now + timedelta(seconds=30))
        self.change(pods=tuple(pods.values()))

    def answer(self, occasion: str) -> ServerAnswer:
        if not self.serves:
            before = self.situation.answer
            failures = before.failures + 1 if isinstance(before, ServerSilence) else 1
            return ServerSilence(self.now, occasion, failures, "timed out")
        task = None
        if self.instance.task_id is not None:
            task = TaskReport("terminated", 3, 1.0, True) if self.is_finished else None
            task = task or TaskReport("running", 3, None, False)
        return build.reply(self.now, idle=400, occasion=occasion, task=task)

    def answer_to_bind(self, occasion: str) -> ServerAnswer:
        if self.serves and not self.plays:
            return TaskRefusal(self.now, occasion, "UnknownTask", "no such task")
        return self.answer(occasion)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    now = draw(moments)
    spec = draw(specs)
    bare = build.instance(**spec)
    pool = build.pool(deleting=draw(st.booleans())) if draw(st.booleans()) else None
    pods = draw(st.lists(pods_of(bare, now), max_size=3, unique_by=lambda pod: pod.uid))
    status = draw(statuses(pods, now))
    instance = build.instance(**spec, status=status, deleting=draw(st.integers(0, 9)) == 0)
    warm = build.warm_pod(build.pool(), 7)
    answers = [build.reply(now, occasion="idle deadline", idle=draw(st.sampled_from([0.0, 400.0])))]
    for pod in pods:
        for occasion in (binding_occasion(pod), readiness_occasion(pod)):
            answers.append(build.reply(after(5), occasion=occasion))
            answers.append(ServerSilence(now, occasion, draw(st.integers(1, 9)), "timed out"))
            answers.append(TaskRefusal(now, occasion, "UnknownTask", "no such task"))
    may_claim = bare.pool_name is not None and pool is not None and not pool.is_being_deleted
    situation = build.situation(
        instance if draw(st.integers(0, 9)) else None,
        *pods,
        refusal=draw(
            st.none()
            | st.builds(Refusal, moments, st.just("PodRejected"), st.just("no"), st.just(2))
        ),
        answer=draw(st.none() | st.sampled_from(answers)),
        asks_since=draw(st.none() | moments.filter(lambda since: since <= now)),
        pool=pool if bare.pool_name is not None else None,
        promised=draw(st.none() | st.just(warm)) if may_claim and not pods else None,
        pool_was_empty=draw(st.booleans()) if may_claim else False,
    )
    return World(
        situation,
        now,
        serves=draw(st.booleans()),
        plays=draw(st.booleans()),
        accepts=draw(st.booleans()),
        is_finished=draw(st.booleans()),
    )


@st.composite
def pods_of(draw: st.DrawFn, instance: TrainingInstance, now: datetime) -> Pod:
    """A pod of the instance, of an earlier one of its name, or one that it has claimed."""
    owner = draw(st.sampled_from([instance, instance, replace(instance, uid=OTHER_UID)]))
    ending = draw(st.none() | st.none() | moments)
    status = draw(pod_states)
    if instance.pool_name is not None and draw(st.booleans()):
        number = draw(st.integers(0, 2))
        return build.claimed_pod(owner, build.pool(), number, status=status, terminates_at=ending)
    uid = build.POD_UID if owner is instance else OTHER_UID
    if status == {"phase": "Pending"} and draw(st.booleans()):
        created = now - timedelta(seconds=draw(st.sampled_from([-5, 0, 1, 2, 3])))
        return build.pod(owner, uid=uid, node=None, created_at=created, terminates_at=ending)
    return build.pod(owner, uid=uid, status=status, terminates_at=ending)


@st.composite
def statuses(draw: st.DrawFn, pods: list[Pod], now: datetime) -> dict[str, Any]:
    """None yet, one of the operator, or one that somebody has torn parts out of."""
    phase = draw(st.sampled_from([None, "Pending", "Starting", "Ready", "Finished", "Failed"]))
    if phase is None:
        return {}
    uids = [pod.uid for pod in pods]
    status: dict[str, Any] = build.ready_status(phase=phase)
    # Most often as it should be, or few of the states would be of instances that live.
    uid = draw(st.sampled_from([*uids, *uids, *uids, "gone", None]))
    if uid is None:
        del status["podUID"]
    else:
        status["podUID"] = uid
        status["incarnation"] = f"{uid}-{draw(st.integers(0, 1))}"
    if phase in {"Finished", "Failed"}:
        status["finishedAt"] = format_timestamp(now)
    for part in draw(st.sets(st.sampled_from(["readyAt", "incarnation", "conditions"]))):
        del status[part]
    return status


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
    return instance.phase or "untold, for its pod may have a node soon"


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
