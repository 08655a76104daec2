"""From any state of a pool and its warm pods, the decision comes to rest.

The states are drawn, not reached, as those of an instance are.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.operator import builders as build
from tests.operator.builders import after
from tests.operator.drawing import rarely, weighed
from tests.operator.standing_pool import PoolWorld, claimable
from training_sandbox_operator.decisions.actions import CreateWarmPod
from training_sandbox_operator.decisions.pool_members import share_replaced
from training_sandbox_operator.decisions.pool_plan import plan_pool
from training_sandbox_operator.model.catalogue import BY_DEFAULT, Allowances
from training_sandbox_operator.model.demand import Demand
from training_sandbox_operator.model.names import Key, warm_pod_name
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.situation import PoolSituation, Refusal

DEMAND_IS_LOOKED_AT_EVERY = timedelta(seconds=5)
NAMES = range(12)

moments = st.sampled_from([0, 10, 50, 100, 400]).map(after)

serving = st.just(build.serving())
pod_statuses = weighed(
    *[serving] * 9,
    st.just({"phase": "Pending"}),
    st.just(build.pod_status(phase="Pending", state=build.waiting("ImagePullBackOff"))),
    st.builds(lambda since: build.pod_status(state=build.running(since)), moments),
    st.just(build.unready(after(20))),
    st.just(build.pod_status(ready=True, ip="", state=build.running(after(5)))),
    st.just({"phase": "Failed", "reason": "Evicted", "message": "disk"}),
    st.just(
        build.pod_status(
            restartCount=4,
            state=build.waiting("CrashLoopBackOff"),
            lastState=build.terminated(1),
        )
    ),
)

fixed = st.fixed_dictionaries({"replicas": st.sampled_from([0, 1, 2, 3, 5, 8, 30])})
by_demand = st.fixed_dictionaries(
    {"minReplicas": st.integers(0, 3), "maxReplicas": st.sampled_from([3, 5, 9])}
)

details = st.fixed_dictionaries(
    {},
    optional={
        "maxAgeSeconds": st.sampled_from([60, 600]),
        "image": st.just("other:1"),
    },
)

odd_statuses = st.sampled_from(
    [
        {},
        {},
        {"targetReplicas": 1000, "readyReplicas": 7},
        {"conditions": None, "templateHash": "0"},
        {
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "Filled",
                    "message": "",
                    "lastTransitionTime": "2020-01-01T00:00:00Z",
                }
            ]
        },
    ]
)


def refusals(reason: str) -> st.SearchStrategy[Refusal | None]:
    refusal = st.builds(Refusal, moments, st.just(reason), st.just("no"), st.integers(1, 9))
    return weighed(*[st.none()] * 4, refusal)


@st.composite
def demands(draw: st.DrawFn, now: datetime) -> Demand:
    """Claims of the last minutes, that the operator has watched for long, or not yet."""
    known_since = now - timedelta(seconds=draw(st.sampled_from([0, 60, 119, 120, 600, 600])))
    ago = timedelta(seconds=draw(st.sampled_from([0, 0.5, 2, 60, 119])))
    demand = Demand(known_since=known_since, at=known_since)
    for _ in range(draw(st.sampled_from([0, 0, 1, 5, 30]))):
        demand = demand.with_claim(max(known_since, now - ago))
    return demand


@st.composite
def warm_pods(draw: st.DrawFn, pool: TrainingPool, number: int, public_key: str | None) -> Pod:
    """A pod of the pool's present template, or of another one, or of a key that is lost."""
    other = build.pool(slots=2)
    of = draw(st.sampled_from([pool, pool, pool, other]))
    key = "FormerKey" if rarely(draw, one_in=5) else public_key
    return build.warm_pod(
        of,
        number,
        public_key=key,
        status=draw(pod_statuses),
        created_at=draw(moments),
        terminates_at=draw(moments) if rarely(draw, one_in=8) else None,
    )


@st.composite
def pool_worlds(
    draw: st.DrawFn, sizes: st.SearchStrategy[dict[str, int]] = fixed | by_demand
) -> PoolWorld:
    now = draw(moments)
    spec: dict[str, Any] = {**draw(sizes), **draw(details)}
    if rarely(draw, one_in=12):
        spec["envType"] = "unheard-of"
    pool = build.pool(**spec, status=draw(odd_statuses))
    public_key = draw(st.sampled_from([build.PUBLIC_KEY, build.PUBLIC_KEY, None]))
    least = draw(st.sampled_from([0, 2, 5]))
    numbers = draw(st.lists(st.sampled_from(NAMES), min_size=least, max_size=9, unique=True))
    warm = [draw(warm_pods(pool, number, public_key)) for number in numbers]
    promised = {pod.key for pod in warm if pod.is_ready and rarely(draw, one_in=6)}
    taken = {pod.key for pod in warm} | draw(st.sets(st.sampled_from(NAMES).map(name_of)))
    situation = PoolSituation(
        pool,
        warm,
        promised=promised,
        waiting=draw(st.sampled_from([0, 0, 1, 4, 50])),
        is_taken=taken.__contains__,
        environment=build.CATALOGUE.get(pool.env_type),
        known_environments=build.CATALOGUE.names,
        allowed=draw(st.sampled_from([Allowances(images=("*",)), BY_DEFAULT])),
        refusal=draw(refusals("PodRejected")),
        failure=draw(refusals("PodsFail")),
        demand=draw(demands(now)),
        told_at=draw(st.none() | st.sampled_from([now, now - timedelta(seconds=0.5), after(-9)])),
        public_key=public_key,
    )
    becomes = draw(st.sampled_from([build.serving(), {"phase": "Pending"}, {"phase": "Failed"}]))
    return PoolWorld(situation, now, becomes, accepts=not rarely(draw, one_in=5))


def name_of(number: int) -> Key:
    return Key("research", warm_pod_name("warm", build.POOL_UID, number))


def resting_state(world: PoolWorld) -> str:
    reasons = [one["reason"] for one in world.pool.status["conditions"]]
    follows = "follows demand" if world.pool.follows_demand else "is fixed"
    return f"{', '.join(reasons)}; {follows}"


@settings(max_examples=200)
@given(world=pool_worlds())
def test_a_pool_comes_to_rest_and_then_its_status_is_right(world: PoolWorld) -> None:
    world.rest()
    assert plan_pool(world.situation, world.now).actions == ()
    world.rest_and_tell()
    event(f"rests {resting_state(world)}")
    event(f"does {', '.join(sorted({type(one).__name__ for one in world.done})) or 'nothing'}")
    status = world.pool.status
    assert status["readyReplicas"] == claimable(world)
    is_ready = status["conditions"][0]["status"] == "True"
    assert not is_ready or claimable(world) >= status["targetReplicas"]


@settings(max_examples=50)
@given(world=pool_worlds(), is_gone=st.booleans())
def test_a_pool_that_is_gone_or_being_deleted_is_left_alone(
    world: PoolWorld, is_gone: bool
) -> None:
    world.change(pool=None if is_gone else replace(world.pool, is_being_deleted=True))
    assert world.rest() is None
    assert world.done == []


@settings(max_examples=100)
@given(world=pool_worlds(), is_forbidden=st.booleans())
def test_no_pod_is_made_that_the_catalogue_does_not_have_or_allow(
    world: PoolWorld, is_forbidden: bool
) -> None:
    if is_forbidden:
        pool = replace(world.pool, spec={**world.pool.spec, "image": "other:1"})
        world.change(pool=pool, allowed=BY_DEFAULT)
    else:
        world.change(environment=None)
    world.rest()
    assert not any(isinstance(one, CreateWarmPod) for one in world.done)


@settings(max_examples=200)
@given(world=pool_worlds())
def test_no_pod_is_made_beyond_the_most_there_may_be_and_those_that_are_replaced(
    world: PoolWorld,
) -> None:
    before, most = len(world.pods), world.pool.most
    world.rest()
    assert len(world.pods) <= max(before, most + share_replaced(most, least=1))


@settings(max_examples=200)
@given(world=pool_worlds(by_demand), known_for=st.sampled_from([0, 60, 119, 120]))
def test_without_claims_a_pool_that_follows_demand_does_not_grow(
    world: PoolWorld, known_for: float
) -> None:
    demand = Demand.unknown(world.now - timedelta(seconds=known_for))
    world.change(waiting=0, demand=demand, told_at=None)
    most = max(len(world.pods), world.pool.fewest)
    world.rest()
    assert len(world.pods) <= most + share_replaced(most, least=1)


@settings(max_examples=200)
@given(world=pool_worlds(), later=st.sampled_from([0.1, 1, 4, 9, 30, 100, 700, 10_000]))
def test_a_pool_is_looked_at_again_before_there_is_anything_to_do(
    world: PoolWorld, later: float
) -> None:
    deadline, now = world.rest_and_tell(), world.now
    assert deadline is None or deadline > now
    then = now + timedelta(seconds=later)
    if not plan_pool(world.situation, then).actions:
        return
    event("there is something to do later")
    assert deadline is not None
    latest = then
    if world.pool.follows_demand:
        latest = max(then, now + DEMAND_IS_LOOKED_AT_EVERY)
    assert deadline <= latest
