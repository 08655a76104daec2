"""What one user writes takes a bounded part of the operator's memory."""

from typing import Any

import pytest

from tests.operator import builders as build
from tests.operator.plans import kinds, ready_condition, written
from training_sandbox_operator.decisions.actions import BindTask, WritePoolStatus
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.decisions.pool_plan import plan_pool
from training_sandbox_operator.model.bounded_spec import LARGEST_SPEC, bounded_spec
from training_sandbox_operator.model.situation import PoolSituation

MANY = [{}] * LARGEST_SPEC


def test_a_spec_is_kept_as_it_is() -> None:
    spec = {"envType": "appworld", "params": {"a": 1}, "poolRef": {"name": "warm"}}
    assert bounded_spec(spec) == (spec, None)


def test_of_a_large_one_the_times_and_names_are_kept() -> None:
    spec = {"ttlSeconds": 60, "taskId": "t1", "poolRef": {"name": "warm"}}
    kept, size = bounded_spec({**spec, "params": {"a": MANY}})
    assert kept == spec
    assert size is not None
    assert size > LARGEST_SPEC


@pytest.mark.parametrize("large", [{"params": {"a": MANY}}, {"affinity": {"a": MANY}}])
@pytest.mark.parametrize("pool", [{}, {"poolRef": {"name": "warm", "whenEmpty": "ColdStart"}}])
def test_an_instance_with_a_large_one_gets_no_pod_and_is_told_why(
    large: dict[str, Any], pool: dict[str, Any]
) -> None:
    instance = build.instance(**large, **pool)
    situation = build.situation(
        instance, pool=build.pool() if pool else None, pool_was_empty=bool(pool)
    )
    condition = ready_condition(written(plan(situation, build.CREATED)))
    assert condition["reason"] == "ParamsTooLarge"
    assert f"at most {LARGEST_SPEC} are allowed" in condition["message"]


def test_a_claimed_pod_is_not_told_of_a_task_whose_params_are_not_kept() -> None:
    instance = build.instance(poolRef={"name": "warm"}, taskId="t1", params={"a": MANY})
    pod = build.claimed_pod(instance, build.pool(), status=build.serving())
    decided = plan(build.situation(instance, pod), build.after(20))
    assert BindTask not in kinds(decided)
    assert written(decided)["phase"] == "Failed"
    assert ready_condition(written(decided))["reason"] == "ParamsTooLarge"


def test_a_pool_with_a_large_one_gets_no_pods_and_is_told_why() -> None:
    pool = build.pool(replicas=1, affinity={"a": MANY})
    situation = PoolSituation(pool, environment=build.APPWORLD, allowed=build.CATALOGUE.allowed)
    (write,) = plan_pool(situation, build.CREATED).actions
    assert isinstance(write, WritePoolStatus)
    assert f"allowed: {LARGEST_SPEC}" in write.status["conditions"][0]["message"]
