"""What is decided about a pool."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.operator import builders as build
from tests.operator.builders import after
from training_sandbox_operator.decisions.actions import (
    Action,
    CreateWarmPod,
    DeleteWarmPod,
    Plan,
    WritePoolStatus,
)
from training_sandbox_operator.decisions.claims import share_out
from training_sandbox_operator.decisions.pod_spec import build_warm_pod, template_hash
from training_sandbox_operator.decisions.pool_plan import CREATED_AT_ONCE, plan_pool
from training_sandbox_operator.model.catalogue import Environment
from training_sandbox_operator.model.demand import Demand
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.situation import PoolSituation

STARTING = {"phase": "Pending"}


def decide(
    pool: TrainingPool, warm: Sequence[Pod] = (), *, at: datetime = build.CREATED, **more: Any
) -> Plan:
    names = {pod.key for pod in warm}
    return plan_pool(
        PoolSituation(
            pool,
            warm,
            is_taken=names.__contains__,
            **{
                "environment": build.APPWORLD,
                "known_environments": build.CATALOGUE.names,
                **more,
            },
        ),
        at,
    )


def created(decided: Plan) -> list[str]:
    return [
        one.manifest["metadata"]["name"]
        for one in decided.actions
        if isinstance(one, CreateWarmPod)
    ]


def deleted(decided: Plan) -> list[str]:
    return [one.pod.key.name for one in decided.actions if isinstance(one, DeleteWarmPod)]


def told(decided: Plan) -> dict[str, Any]:
    (status,) = [one.status for one in decided.actions if isinstance(one, WritePoolStatus)]
    return dict(status)


def pods(pool: TrainingPool, count: int, **details: Any) -> list[Pod]:
    return [build.warm_pod(pool, number, **details) for number in range(count)]


def name(number: int) -> str:
    return f"warm-{build.POOL_UID[:8]}-{number}"


def test_the_least_free_numbers_name_the_pods_that_are_made() -> None:
    pool = build.pool(replicas=3)
    assert created(decide(pool, [build.warm_pod(pool, 1)])) == [name(0), name(2)]


def test_pods_are_made_a_few_at_a_time() -> None:
    assert len(created(decide(build.pool(replicas=1000)))) == CREATED_AT_ONCE


@pytest.mark.parametrize(("seconds", "count"), [(0.5, 1), (1, 2)])
def test_warm_ups_give_way_to_claims_while_there_is_stock(seconds: float, count: int) -> None:
    pool = build.pool(replicas=4)
    decided = decide(pool, pods(pool, 2), demand=claims(1, after(0)), at=after(seconds))
    assert len(created(decided)) == count


def test_warm_ups_give_way_to_claims_that_are_under_way() -> None:
    pool = build.pool(replicas=8)
    warm = pods(pool, 4)
    assert len(created(decide(pool, warm, promised={warm[0].key}))) == 1


def test_in_a_burst_of_claims_warm_ups_wait_for_those_that_are_under_way() -> None:
    pool = build.pool(replicas=8)
    warm = pods(pool, 4)
    decided = decide(pool, warm, promised={warm[0].key}, demand=claims(1, after(0)), at=after(0.5))
    assert not created(decided)
    assert decided.deadline == after(1)


def test_warm_ups_do_not_give_way_when_the_stock_runs_low() -> None:
    pool = build.pool(replicas=4)
    decided = decide(pool, pods(pool, 1), demand=claims(1, after(0)), at=after(0.5))
    assert len(created(decided)) == 3


def test_a_promised_pod_counts_as_claimed() -> None:
    pool = build.pool(replicas=2)
    warm = pods(pool, 2)
    assert created(decide(pool, warm, promised={warm[0].key})) == [name(2)]


def test_of_too_many_pods_those_go_first_that_are_not_ready_and_then_the_oldest() -> None:
    pool = build.pool(replicas=1)
    warm = [
        build.warm_pod(pool, 0, created_at=after(10)),
        build.warm_pod(pool, 1, created_at=after(5)),
        build.warm_pod(pool, 2, created_at=after(20), status=STARTING),
    ]
    assert deleted(decide(pool, warm)) == [name(2), name(1)]


def test_a_pod_that_ends_is_not_counted_and_not_deleted_again() -> None:
    pool = build.pool(replicas=1)
    warm = pods(pool, 1, terminates_at=after(30))
    decided = decide(pool, warm)
    assert (created(decided), deleted(decided)) == ([name(1)], [])


def test_a_pool_that_is_deleted_is_left_to_the_garbage_collector() -> None:
    assert decide(build.pool(replicas=3, deleting=True)).actions == ()


@pytest.mark.parametrize(
    ("before", "after_change"),
    [
        ({"image": "a:1"}, {"image": "b:2"}),
        ({}, {"env": [{"name": "A", "value": "x"}]}),
        ({"labels": {"team": "rl"}}, {"labels": {"team": "other"}}),
        ({}, {"nodeSelector": {"pool": "a"}}),
        ({"slots": 1}, {"slots": 2}),
    ],
)
def test_what_is_built_into_pods_makes_another_template(
    before: dict[str, Any], after_change: dict[str, Any]
) -> None:
    old, new = build.pool(replicas=1, **before), build.pool(replicas=1, **after_change)
    assert template_hash(old, build.APPWORLD) != template_hash(new, build.APPWORLD)


def test_what_is_not_built_into_pods_makes_no_other_template() -> None:
    before = template_hash(build.pool(replicas=1), build.APPWORLD)
    assert template_hash(build.pool(replicas=5, maxAgeSeconds=60), build.APPWORLD) == before


def test_another_entry_of_the_catalogue_makes_another_template() -> None:
    other = Environment.model_validate({"image": "other:1"})
    pool = build.pool(replicas=1)
    assert template_hash(pool, other) != template_hash(pool, build.APPWORLD)


def test_pods_of_an_earlier_template_are_replaced_a_quarter_at_a_time() -> None:
    old, new = build.pool(replicas=8), build.pool(replicas=8, slots=2)
    decided = decide(new, pods(old, 8))
    assert created(decided) == [name(8), name(9)]
    assert len(deleted(decided)) == 2


def test_a_single_pod_is_replaced_when_the_new_one_is_ready() -> None:
    old, new = build.pool(replicas=1), build.pool(replicas=1, slots=2)
    decided = decide(new, pods(old, 1))
    assert (created(decided), deleted(decided)) == ([name(1)], [])
    decided = decide(new, [*pods(old, 1), build.warm_pod(new, 1)])
    assert (created(decided), deleted(decided)) == ([], [name(0)])


def test_a_pod_of_an_earlier_template_that_is_not_ready_is_deleted_at_once() -> None:
    old, new = build.pool(replicas=1), build.pool(replicas=1, slots=2)
    assert deleted(decide(new, pods(old, 1, status=STARTING))) == [name(0)]


def test_pods_that_nobody_can_claim_are_not_ready_and_are_replaced_at_once() -> None:
    pool = build.pool(replicas=4)
    of_a_lost_key = pods(pool, 4, public_key="FormerKey")
    decided = decide(pool, of_a_lost_key, public_key=build.PUBLIC_KEY)
    assert deleted(decided) == [name(number) for number in range(4)]
    assert created(decided) == [name(4)]
    status = told(decided)
    assert (status["readyReplicas"], status["updatedReplicas"]) == (0, 0)
    assert status["conditions"][0]["message"] == "0 of 4 warm pods are ready"


def test_pods_whose_server_checks_no_tokens_are_ready_whatever_the_key() -> None:
    pool = build.pool(replicas=1)
    assert told(decide(pool, pods(pool, 1), public_key=build.PUBLIC_KEY))["readyReplicas"] == 1


def test_pods_are_kept_while_the_catalogue_does_not_have_their_environment() -> None:
    pool = build.pool(replicas=1)
    decided = decide(pool, pods(pool, 1), environment=None)
    assert (created(decided), deleted(decided)) == ([], [])
    assert told(decided)["conditions"][0]["reason"] == "UnknownEnvironment"


def test_a_pod_that_is_too_old_is_replaced() -> None:
    pool = build.pool(replicas=1, maxAgeSeconds=60)
    young = decide(pool, pods(pool, 1), at=after(59))
    assert (created(young), young.deadline) == ([], after(60))
    assert created(decide(pool, pods(pool, 1), at=after(60))) == [name(1)]


def test_the_status_is_written_once_a_second() -> None:
    pool = build.pool(replicas=1)
    decided = decide(pool, pods(pool, 1), told_at=after(0), at=after(0.5))
    assert not [one for one in decided.actions if isinstance(one, WritePoolStatus)]
    assert decided.deadline == after(1)
    assert told(decide(pool, pods(pool, 1), told_at=after(0), at=after(1)))["readyReplicas"] == 1


def test_a_status_that_is_right_is_not_written_again() -> None:
    pool = build.pool(replicas=2)
    status = told(decide(pool, pods(pool, 2)))
    known = build.pool(replicas=2, status=status)
    assert decide(known, pods(pool, 2), at=after(60)).actions == ()


def test_the_status_says_what_a_pod_that_is_not_ready_waits_for() -> None:
    pool = build.pool(replicas=1)
    pulling = build.pod_status(phase="Pending", state=build.waiting("ErrImagePull", "no such tag"))
    condition = told(decide(pool, pods(pool, 1, status=pulling)))["conditions"][0]
    assert condition["reason"] == "ImagePullFailed"
    assert "no such tag" in condition["message"]


# Demand.


def claims(count: int, at: datetime, *, known_for: float = 600) -> Demand:
    demand = Demand(known_since=at - timedelta(seconds=known_for), at=at)
    for _ in range(count):
        demand = demand.with_claim(at)
    return demand


def target(demand: Demand | None, *, waiting: int = 0, at: datetime = build.CREATED) -> int:
    pool = build.pool(minReplicas=2, maxReplicas=20)
    decided = decide(pool, pods(pool, 6), demand=demand, waiting=waiting, at=at)
    return told(decided)["targetReplicas"]


def test_without_demand_there_are_as_few_pods_as_there_may_be() -> None:
    assert target(claims(0, after(0))) == 2


def test_there_is_a_pod_for_every_instance_that_waits() -> None:
    assert target(claims(0, after(0)), waiting=7) == 7


def test_there_are_never_more_pods_than_there_may_be() -> None:
    assert target(claims(1000, after(0)), waiting=50) == 20


def test_as_many_pods_are_kept_as_are_claimed_while_one_starts_and_a_half_more() -> None:
    # One claim a second, and pods that took 10 s.
    assert target(claims(60, after(0))) == 15


def test_demand_is_forgotten_in_minutes() -> None:
    demand = claims(60, after(0))
    targets = [target(demand, at=after(seconds)) for seconds in (0, 60, 120, 300)]
    assert targets == sorted(targets, reverse=True)
    assert targets[-1] == 2


def test_the_last_pod_is_kept_while_it_would_be_made_again_if_it_were_gone() -> None:
    pool = build.pool(maxReplicas=3)
    demand = claims(1, after(0))
    quick = build.warm_pod(pool, 0, created_at=after(10))
    for warm, made in (([], [name(0)]), ([quick], [])):
        decided = decide(pool, warm, demand=demand, at=after(11))
        assert (created(decided), deleted(decided)) == (made, [])
    assert deleted(decide(pool, [quick], demand=demand, at=after(300))) == [name(0)]


def test_nothing_is_scaled_down_before_the_demand_is_known() -> None:
    assert target(claims(0, after(0), known_for=119)) == 6
    assert target(claims(0, after(0), known_for=120)) == 2


def test_pods_that_replace_others_are_not_taken_for_demand_before_it_is_known() -> None:
    spec: dict[str, Any] = {"minReplicas": 1, "maxReplicas": 9}
    old, new = build.pool(**spec), build.pool(**spec, slots=2, status={"targetReplicas": 4})
    warm = [*pods(old, 4), build.warm_pod(new, 4, status=STARTING)]
    decided = decide(new, warm, demand=claims(0, after(0), known_for=1))
    assert told(decided)["targetReplicas"] == 4
    assert created(decided) == []


# Who gets what.


def test_who_has_waited_longest_is_served_first() -> None:
    pool = build.pool(replicas=1)
    late = build.instance(name="late", uid="1", poolRef={"name": "warm"})
    early = build.instance(name="early", uid="2", poolRef={"name": "warm"})
    object.__setattr__(early, "created_at", late.created_at - timedelta(seconds=1))
    promises = list(share_out([late, early], [build.warm_pod(pool)], "x"))
    assert [(one.instance.key.name, one.pod is not None) for one in promises] == [
        ("early", True),
        ("late", False),
    ]


def test_pods_of_the_present_template_are_given_out_first() -> None:
    old, new = build.pool(replicas=2), build.pool(replicas=2, slots=2)
    available = [build.warm_pod(old, 0), build.warm_pod(new, 1)]
    waiting = [build.instance(poolRef={"name": "warm"})]
    (promise,) = share_out(waiting, available, template_hash(new, build.APPWORLD))
    assert promise.pod is available[1]


# The pods.


def test_a_warm_pod_belongs_to_its_pool_and_says_so() -> None:
    metadata = build_warm_pod(build.pool(replicas=1), build.APPWORLD, 0)["metadata"]
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == (
        "TrainingPool",
        build.POOL_UID,
        True,
    )
    assert metadata["labels"]["trainingsandbox.dev/pool"] == "warm"
    assert metadata["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "true"


def test_a_warm_pod_is_an_open_server_as_restricted_as_any() -> None:
    warm = build_warm_pod(build.pool(replicas=1), build.APPWORLD, 0)["spec"]
    cold = build.pod_manifest(build.instance(), node=None)["spec"]
    assert warm == cold


def test_pods_are_spread_among_those_of_their_pool() -> None:
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    pool = build.pool(replicas=1, topologySpreadConstraints=[spread])
    (constraint,) = build_warm_pod(pool, build.APPWORLD, 0)["spec"]["topologySpreadConstraints"]
    selector = {"matchLabels": {"trainingsandbox.dev/pool": "warm"}}
    assert constraint == {**spread, "labelSelector": selector}


def test_actions_are_planned_in_an_order_that_frees_before_it_takes() -> None:
    old, new = build.pool(replicas=8), build.pool(replicas=8, slots=2)
    kinds: list[type[Action]] = [type(one) for one in decide(new, pods(old, 8)).actions]
    assert kinds == [DeleteWarmPod] * 2 + [CreateWarmPod] * 2 + [WritePoolStatus]
