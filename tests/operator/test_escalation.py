"""Whoever may create TrainingInstances and TrainingPools gains nothing by it, field by field."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.operator import builders as build
from tests.operator.escalation import OF_BOTH, OF_INSTANCES, OF_POOLS, Attempt
from training_sandbox_operator.decisions.actions import (
    CreatePod,
    CreateWarmPod,
    EmitEvent,
    Plan,
    WritePoolStatus,
    WriteStatus,
)
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.decisions.pod_spec import build_pod, build_warm_pod
from training_sandbox_operator.decisions.pool_plan import plan_pool
from training_sandbox_operator.model.catalogue import Allowances, Environment
from training_sandbox_operator.model.situation import PoolSituation

CRDS = Path(__file__).resolve().parents[2] / "crds"
FENCED = Environment.model_validate(
    {
        "image": "registry.example/appworld:1",
        "nodeSelector": {"pool": "sandboxes"},
        "resources": {"limits": {"cpu": "2", "memory": "6Gi"}},
    }
)
NOTHING = Allowances()


def attempts(*tables: dict[str, tuple[Attempt, ...]]) -> list[Any]:
    return [
        pytest.param(one, id=f"{field}: {one.what}")
        for table in tables
        for field, some in table.items()
        for one in some
    ]


def only_opened(*tables: dict[str, tuple[Attempt, ...]]) -> list[Any]:
    return [one for one in attempts(*tables) if one.values[0].opened_by is not None]


def only_held(*tables: dict[str, tuple[Attempt, ...]]) -> list[Any]:
    return [one for one in attempts(*tables) if one.values[0].held is not None]


def opened(attempt: Attempt) -> Allowances:
    assert attempt.opened_by is not None
    field, pattern = attempt.opened_by
    return Allowances.model_validate({field: [pattern]})


def decide(attempt: Attempt, allowed: Allowances) -> Plan:
    instance = build.instance(**attempt.spec)
    return plan(build.situation(instance, environment=FENCED, allowed=allowed), build.CREATED)


def decide_cold_start(attempt: Attempt, allowed: Allowances) -> Plan:
    instance = build.instance(poolRef={"name": "warm", "whenEmpty": "ColdStart"})
    situation = build.situation(
        instance,
        environment=FENCED,
        allowed=allowed,
        pool=build.pool(**attempt.spec),
        pool_was_empty=True,
    )
    return plan(situation, build.CREATED)


def decide_pool(attempt: Attempt, allowed: Allowances) -> Plan:
    pool = build.pool(replicas=1, **attempt.spec)
    return plan_pool(PoolSituation(pool, environment=FENCED, allowed=allowed), build.CREATED)


def created(decided: Plan) -> list[Any]:
    return [one for one in decided.actions if isinstance(one, CreatePod | CreateWarmPod)]


def told(decided: Plan) -> tuple[str, str]:
    (write,) = [one for one in decided.actions if isinstance(one, WriteStatus | WritePoolStatus)]
    condition = write.status["conditions"][0]
    return condition["reason"], condition["message"]


@pytest.mark.parametrize(
    ("kind", "tables"),
    [("traininginstances", (OF_BOTH, OF_INSTANCES)), ("trainingpools", (OF_BOTH, OF_POOLS))],
)
def test_no_field_is_forgotten(kind: str, tables: tuple[dict[str, Any], ...]) -> None:
    crd = yaml.safe_load((CRDS / f"trainingsandbox.dev_{kind}.yaml").read_text())
    (version,) = crd["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert {field for table in tables for field in table} == set(spec["properties"])


@pytest.mark.parametrize("attempt", attempts(OF_BOTH, OF_INSTANCES, OF_POOLS))
def test_every_attempt_is_held_back_by_one_thing(attempt: Attempt) -> None:
    assert sum(map(bool, (attempt.refused, attempt.opened_by, attempt.held))) == 1


@pytest.mark.parametrize("attempt", only_opened(OF_BOTH))
@pytest.mark.parametrize("decision", [decide, decide_cold_start, decide_pool])
def test_what_is_not_allowed_gets_no_pod_and_is_told_what_is(
    attempt: Attempt, decision: Any
) -> None:
    assert attempt.opened_by is not None
    decided = decision(attempt, NOTHING)
    assert not created(decided)
    reason, message = told(decided)
    assert reason == "OverrideNotAllowed"
    (field,) = attempt.spec
    assert f"spec.{field}" in message
    assert "allowed: " in message
    assert f"allowed.{attempt.opened_by[0]}" in message


@pytest.mark.parametrize("attempt", only_opened(OF_BOTH))
@pytest.mark.parametrize("decision", [decide, decide_cold_start, decide_pool])
def test_the_administrator_can_allow_it(attempt: Attempt, decision: Any) -> None:
    assert len(created(decision(attempt, opened(attempt)))) == 1


@pytest.mark.parametrize("attempt", only_held(OF_BOTH, OF_INSTANCES))
def test_what_is_asked_for_is_not_what_the_pod_gets(attempt: Attempt) -> None:
    assert attempt.held is not None
    assert attempt.held(build_pod(build.instance(**attempt.spec), FENCED))


@pytest.mark.parametrize("attempt", only_held(OF_BOTH, OF_POOLS))
def test_nor_what_a_warm_pod_gets(attempt: Attempt) -> None:
    assert attempt.held is not None
    assert attempt.held(build_warm_pod(build.pool(**attempt.spec), FENCED, 0))


def test_an_event_tells_of_it() -> None:
    (attempt,) = OF_BOTH["priorityClassName"]
    (event,) = [one for one in decide(attempt, NOTHING).actions if isinstance(one, EmitEvent)]
    assert (event.kind, event.reason) == ("Warning", "OverrideNotAllowed")


def test_what_the_catalogue_has_itself_may_be_named() -> None:
    environment = FENCED.model_copy(update={"priority_class_name": "training"})
    instance = build.instance(image=environment.image, priorityClassName="training")
    decided = plan(build.situation(instance, environment=environment), build.CREATED)
    assert len(created(decided)) == 1


def test_a_lost_node_may_be_waited_for() -> None:
    mine = {"key": "node.kubernetes.io/unreachable", "tolerationSeconds": 600}
    assert created(decide(Attempt("", {"tolerations": [mine]}), NOTHING))
