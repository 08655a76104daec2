"""Worlds drawn for an instance: its pods, its pool, its server and its token in any state."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.operator import builders as build
from tests.operator.builders import after
from tests.operator.drawing import rarely, weighed
from tests.operator.standing_world import World
from training_sandbox_operator.decisions.pod_spec import LARGEST_PARAMS
from training_sandbox_operator.decisions.verdict import binding_occasion, readiness_occasion
from training_sandbox_operator.model.catalogue import BY_DEFAULT, Allowances
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.server import (
    ServerAnswer,
    ServerSilence,
    TaskRefusal,
)
from training_sandbox_operator.model.situation import Refusal
from training_sandbox_operator.model.timestamps import format_timestamp
from training_sandbox_operator.model.token_secret import TokenSecret

OTHER_UID = "ffffffff-0000-1111-2222-333344445555"
OVERSIZED = {"text": "x" * LARGEST_PARAMS}
KEYS = [*[build.PUBLIC_KEY] * 4, "FormerKey", None]

moments = st.sampled_from([0, 5, 10, 20, 100, 299, 400, 5000]).map(after)

serving = st.just(build.serving())
pod_states = weighed(
    *[serving] * 4,
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
        "ttlSeconds": st.sampled_from([10000, 10000, 400, 10]),
        "idleTimeoutSeconds": st.sampled_from([10000, 300, 1]),
        "ttlSecondsAfterFinished": st.sampled_from([0, 60, 10000]),
        "poolRef": st.fixed_dictionaries(
            {"name": st.just("warm"), "whenEmpty": st.sampled_from(["Wait", "ColdStart"])}
        ),
        "image": st.just("other:1"),
    },
)

allowances = st.sampled_from([BY_DEFAULT, Allowances(images=("*",))])


def uid(pod: Pod) -> str:
    return pod.uid


@st.composite
def worlds(draw: st.DrawFn) -> World:
    now = draw(moments)
    spec = draw(specs)
    if rarely(draw, one_in=6):
        spec["envType"] = "unheard-of"
    if "taskId" in spec and rarely(draw, one_in=3):
        spec["params"] = OVERSIZED
    bare = build.instance(**spec)
    pool = draw(pools()) if bare.pool_name is not None else None
    public_key = draw(st.sampled_from([build.PUBLIC_KEY] * 4 + [None]))
    count = draw(st.sampled_from([0, 1, 1, 2, 3]))
    pods = draw(st.lists(pods_of(bare, now), min_size=min(count, 1), max_size=count, unique_by=uid))
    status = draw(statuses(pods, now))
    instance = build.instance(**spec, status=status, deleting=rarely(draw))
    may_claim = pool is not None and not pool.is_being_deleted
    warm = build.warm_pod(build.pool(), 7, public_key=draw(st.sampled_from([None, public_key])))
    situation = build.situation(
        None if rarely(draw) else instance,
        *pods,
        allowed=draw(allowances),
        refusal=draw(weighed(st.none(), st.none(), st.none(), refusals("PodRejected"))),
        answer=draw(st.none() | answers(pods, now)),
        asks_since=draw(st.none() | moments.filter(lambda since: since <= now)),
        pool=pool,
        promised=draw(st.none() | st.just(warm)) if may_claim and not pods else None,
        pool_was_empty=draw(st.booleans()) if may_claim else False,
        public_key=public_key,
        token_secret=draw(st.none() | token_secrets(bare, pods)),
        token_refusal=draw(
            weighed(*[st.none()] * 4, refusals("TokenRejected"), refusals("TokenSecretConflict"))
        ),
    )
    return World(
        situation,
        now,
        serves=draw(st.booleans()),
        plays=draw(st.booleans()),
        accepts=draw(st.sampled_from([True, True, True, False])),
        boots=not rarely(draw, one_in=4),
        hides_secret=rarely(draw, one_in=5),
        is_finished=draw(st.booleans()),
    )


@st.composite
def pools(draw: st.DrawFn) -> TrainingPool | None:
    spec = draw(st.sampled_from([{}, {"image": "other:1"}]))
    pool = build.pool(deleting=rarely(draw), **spec)
    return draw(st.sampled_from([pool, pool, pool, None]))


def refusals(reason: str) -> st.SearchStrategy[Refusal]:
    return st.builds(Refusal, moments, st.just(reason), st.just("no"), st.just(2))


@st.composite
def answers(draw: st.DrawFn, pods: list[Pod], now: datetime) -> ServerAnswer:
    idle = draw(st.sampled_from([0.0, 400.0]))
    possible: list[ServerAnswer] = [build.reply(now, occasion="idle deadline", idle=idle)]
    for pod in pods:
        for occasion in (binding_occasion(pod), readiness_occasion(pod)):
            possible += [
                build.reply(after(5), occasion=occasion),
                ServerSilence(now, occasion, draw(st.integers(1, 9)), "timed out"),
                TaskRefusal(now, occasion, "UnknownTask", "no such task"),
            ]
    return draw(st.sampled_from(possible))


@st.composite
def token_secrets(draw: st.DrawFn, instance: TrainingInstance, pods: list[Pod]) -> TokenSecret:
    """The Secret of a pod's server as it should be, or spoilt, or somebody else's."""
    pod = draw(st.sampled_from(pods)) if pods else None
    incarnation = (pod.incarnation if pod is not None else None) or "gone-0"
    key = pod.public_key if pod is not None else build.PUBLIC_KEY
    stranger = {"kind": "Deployment", "name": "demo", "uid": "x", "controller": True}
    written = {"manager": "kubectl", "fieldsV1": {"f:data": {}}}
    spoilt: dict[str, Any] = draw(
        st.sampled_from(
            [
                *[{}] * 5,
                {"incarnation": "gone-0"},
                {"public_key": "FormerKey"},
                {"managedFields": [written]},
                {"ownerReferences": [stranger]},
                {"ownerReferences": []},
            ]
        )
    )
    of = replace(instance, uid=OTHER_UID) if rarely(draw) else instance
    return build.token_secret(of, **{"incarnation": incarnation, "public_key": key, **spoilt})


@st.composite
def pods_of(draw: st.DrawFn, instance: TrainingInstance, now: datetime) -> Pod:
    """A pod of the instance, of an earlier one of its name, or one that it has claimed."""
    owner = draw(st.sampled_from([instance, instance, replace(instance, uid=OTHER_UID)]))
    ending = draw(weighed(*[st.none()] * 5, moments))
    status = draw(pod_states)
    key = draw(st.sampled_from(KEYS))
    if instance.pool_name is not None and draw(st.booleans()):
        number = draw(st.integers(0, 2))
        return build.claimed_pod(
            owner, build.pool(), number, status=status, terminates_at=ending, public_key=key
        )
    uid = build.POD_UID if owner is instance else OTHER_UID
    if status == {"phase": "Pending"} and draw(st.booleans()):
        created = now - timedelta(seconds=draw(st.sampled_from([-5, 0, 1, 2, 3])))
        return build.pod(owner, uid=uid, node=None, created_at=created, terminates_at=ending)
    return build.pod(owner, uid=uid, status=status, terminates_at=ending, public_key=key)


@st.composite
def statuses(draw: st.DrawFn, pods: list[Pod], now: datetime) -> dict[str, Any]:
    """None yet, one of the operator, or one that somebody has torn parts out of."""
    phase = draw(
        st.sampled_from(
            [None, None, None, "Pending", "Starting", "Ready", "Ready", "Finished", "Failed"]
        )
    )
    if phase is None:
        return {}
    uids = [pod.uid for pod in pods]
    status: dict[str, Any] = build.ready_status(phase=phase)
    # Most often as it should be, or few of the states would be of instances that live.
    uid = draw(st.sampled_from([*uids * 4, "gone", None, None, None]))
    if uid is None:
        del status["podUID"]
    else:
        status["podUID"] = uid
        status["incarnation"] = f"{uid}-{draw(st.integers(0, 1))}"
    if draw(st.booleans()):
        status["tokenSecret"] = "demo-token"
    if phase in {"Finished", "Failed"}:
        status["finishedAt"] = format_timestamp(now)
    for part in draw(st.sets(st.sampled_from(["readyAt", "incarnation", "conditions"]))):
        del status[part]
    return status
