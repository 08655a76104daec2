"""When an instance has its token, and what the operator does until it has."""

from typing import Any

import pytest

from tests.operator import builders as build
from tests.operator.builders import PUBLIC_KEY, after
from tests.operator.plans import events, kinds, only, ready_condition, written
from training_sandbox_operator.decisions.actions import (
    AskServer,
    BindTask,
    EmitEvent,
    Plan,
    WriteStatus,
    WriteToken,
)
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.reasons import Phase
from training_sandbox_operator.model.situation import Refusal, WrittenToken

INSTANCE = build.instance()
TOLD = build.instance(status=build.ready_status(tokenSecret="demo-token", endpoint="http://x"))


def guarded_pod(**details: Any) -> Pod:
    """A pod whose server checks tokens by this operator's key."""
    return build.pod(INSTANCE, **{"public_key": PUBLIC_KEY, "status": build.serving(), **details})


def decide(of: Any = INSTANCE, pod: Pod | None = None, at: float = 20, **more: Any) -> Plan:
    pod = pod or guarded_pod()
    return plan(build.situation(of, pod, **{"public_key": PUBLIC_KEY, **more}), after(at))


def restarted(restarts: int = 1) -> dict[str, Any]:
    return build.pod_status(
        ready=True,
        ready_changed_at=after(15),
        started=True,
        state=build.running(after(12)),
        lastState=build.terminated(137, "OOMKilled"),
        restartCount=restarts,
    )


def test_a_server_that_serves_gets_its_token_before_the_instance_is_called_ready() -> None:
    decided = decide()
    assert kinds(decided) == [WriteToken]
    assert only(decided, WriteToken).incarnation == f"{build.POD_UID}-0"


def test_the_instance_is_ready_when_its_token_is_in_its_secret() -> None:
    status = written(decide(token_secret=build.token_secret(INSTANCE)))
    assert (status["phase"], status["tokenSecret"]) == ("Ready", "demo-token")


def test_the_token_is_written_while_the_server_boots() -> None:
    booting = build.pod_status(state=build.running(after(5)))
    decided = decide(pod=guarded_pod(status=booting))
    assert kinds(decided)[:2] == [WriteToken, WriteStatus]
    assert "tokenSecret" not in written(decided)


def test_no_token_is_written_before_there_is_a_server() -> None:
    assert WriteToken not in kinds(decide(pod=guarded_pod(status={"phase": "Pending"})))


@pytest.mark.parametrize("more", [{"public_key": None}, {"pod": build.pod(INSTANCE)}])
def test_without_keys_on_both_sides_there_are_no_tokens(more: dict[str, Any]) -> None:
    pod = build.pod(INSTANCE, status=build.serving())
    status = written(decide(**{"pod": pod, **more} if "public_key" in more else {"pod": pod}))
    assert status["phase"] == "Ready"
    assert "tokenSecret" not in status


def test_a_pod_of_the_former_chart_is_served_without_a_token() -> None:
    unguarded = build.pod(INSTANCE, status=build.serving())
    decided = decide(pod=unguarded)
    assert WriteToken not in kinds(decided)
    assert written(decided)["phase"] == "Ready"
    asked = decide(build.instance(status=written(decided)), unguarded, at=320)
    assert only(asked, AskServer).audience is None


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param({"incarnation": f"{build.POD_UID}-7"}, id="of another incarnation"),
        pytest.param({"public_key": "AnotherKey"}, id="of another key"),
        pytest.param({"labels": {}}, id="without its label"),
        pytest.param(
            {"managedFields": [{"manager": "kubectl", "fieldsV1": {"f:data": {}}}]},
            id="written by somebody else",
        ),
        pytest.param({"annotations": None}, id="without its annotations"),
    ],
)
def test_a_secret_that_is_not_as_it_should_be_is_replaced(spoilt: dict[str, Any]) -> None:
    secret = build.token_secret(INSTANCE, **spoilt)
    decided = decide(TOLD, token_secret=secret)
    assert only(decided, WriteToken).replaces == secret


def test_a_label_that_somebody_adds_to_the_secret_does_not_matter() -> None:
    secret = build.token_secret(
        INSTANCE, managedFields=[{"manager": "kubectl", "fieldsV1": {"f:metadata": {}}}]
    )
    assert WriteToken not in kinds(decide(token_secret=secret))


def test_a_secret_of_an_earlier_instance_of_the_name_is_replaced() -> None:
    secret = build.token_secret(build.instance(uid="ffffffff-earlier"))
    decided = decide(token_secret=secret)
    assert kinds(decided) == [WriteToken]
    assert only(decided, WriteToken).replaces == secret


def test_a_strangers_secret_is_not_replaced_though_it_bears_our_label() -> None:
    owner = {"kind": "Deployment", "name": "demo", "uid": "x", "controller": True}
    secret = build.token_secret(INSTANCE, ownerReferences=[owner])
    assert only(decide(token_secret=secret), WriteToken).replaces is None


def test_a_new_incarnation_is_not_called_ready_before_it_has_its_own_token() -> None:
    pod = guarded_pod(status=restarted())
    former = build.token_secret(INSTANCE)
    decided = decide(TOLD, pod, token_secret=former)
    assert kinds(decided) == [WriteToken]
    action = only(decided, WriteToken)
    assert (action.incarnation, action.replaces) == (f"{build.POD_UID}-1", former)
    present = build.token_secret(INSTANCE, f"{build.POD_UID}-1")
    status = written(decide(TOLD, pod, token_secret=present))
    assert (status["phase"], status["incarnation"]) == ("Ready", f"{build.POD_UID}-1")
    assert status["tokenSecret"] == "demo-token"


def test_an_instance_whose_secret_is_deleted_stays_ready_while_it_is_written_again() -> None:
    ready = build.instance(status=written(decide(token_secret=build.token_secret(INSTANCE))))
    assert kinds(decide(ready)) == [WriteToken]


def test_a_ready_instance_whose_secret_cannot_be_written_again_stays_ready_and_warns() -> None:
    ready = build.instance(status=written(decide(token_secret=build.token_secret(INSTANCE))))
    refusal = Refusal(after(20), "TokenSecretConflict", "it is somebody else's", failures=1)
    assert kinds(decide(ready, token_refusal=refusal)) == []
    decided = decide(ready, token_refusal=refusal, at=30)
    assert kinds(decided) == [WriteToken, EmitEvent]
    assert events(decided) == [("Warning", "TokenSecretConflict")]


def test_a_refused_secret_is_told_and_tried_again_later() -> None:
    refusal = Refusal(after(20), "TokenRejected", "exceeded quota: secrets", failures=1)
    decided = decide(token_refusal=refusal)
    assert WriteToken not in kinds(decided)
    condition = ready_condition(written(decided))
    assert (condition["reason"], condition["message"]) == ("TokenRejected", refusal.message)
    assert ("Warning", "TokenRejected") in events(decided)
    assert decided.deadline == after(30)
    assert WriteToken in kinds(decide(token_refusal=refusal, at=30))


def test_a_server_that_knows_another_key_is_explained_and_kept() -> None:
    pod = guarded_pod(public_key="FormerKey")
    decided = decide(pod=pod)
    status = written(decided)
    assert (status["phase"], ready_condition(status)["reason"]) == ("Starting", "SigningKeyLost")
    assert ("Warning", "SigningKeyLost") in events(decided)
    kept = decide(build.instance(status=status), pod, at=14_000)
    assert kinds(kept) == []
    assert kept.deadline == after(14_400)


def test_an_instance_that_has_a_token_of_the_former_key_stays_ready() -> None:
    pod = guarded_pod(public_key="FormerKey")
    secret = build.token_secret(INSTANCE, public_key="FormerKey")
    assert written(decide(pod=pod, token_secret=secret))["phase"] == Phase.READY
    assert WriteStatus not in kinds(
        decide(build.instance(status=written(decide(pod=pod, token_secret=secret))), pod)
    )


def test_a_task_is_bound_while_the_token_is_written() -> None:
    pool = build.pool(replicas=1)
    claim = build.instance(poolRef={"name": "warm"}, taskId="t1")
    pod = build.claimed_pod(claim, pool, public_key=PUBLIC_KEY)
    decided = decide(claim, pod, pool=pool)
    assert kinds(decided) == [WriteToken, BindTask]
    assert only(decided, BindTask).audience == pod.incarnation


def test_a_server_is_asked_with_a_token_for_its_present_incarnation() -> None:
    pod = guarded_pod(status=restarted())
    secret = build.token_secret(INSTANCE, f"{build.POD_UID}-1")
    ready = build.instance(status=written(decide(TOLD, pod, token_secret=secret)))
    asked = decide(ready, pod, at=400, token_secret=secret)
    assert only(asked, AskServer).audience == f"{build.POD_UID}-1"


def test_the_secret_of_a_finished_task_is_written_again_too() -> None:
    finished = build.instance(
        taskId="t1", status=build.terminal_status("Finished", finished_at=after(15))
    )
    assert WriteToken in kinds(decide(finished))


def test_a_failed_instance_gets_no_token() -> None:
    failed = build.instance(
        retainFailed=True, status=build.terminal_status("Failed", finished_at=after(15))
    )
    assert WriteToken not in kinds(decide(failed))


def test_the_pod_is_told_the_public_key_and_nothing_else_of_tokens() -> None:
    (container,) = build.pod_manifest(INSTANCE, public_key=PUBLIC_KEY)["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["SANDBOX_TOKEN_PUBLIC_KEY"] == PUBLIC_KEY
    assert variables["SANDBOX_AUTH"] == "token"


def test_where_tokens_are_switched_off_the_pod_is_told_so() -> None:
    (container,) = build.pod_manifest(INSTANCE)["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["SANDBOX_AUTH"] == "off"
    assert "SANDBOX_TOKEN_PUBLIC_KEY" not in variables


@pytest.mark.parametrize("of", [TOLD, INSTANCE], ids=["told", "not told yet"])
def test_a_token_that_is_gone_as_soon_as_it_was_written_is_written_again_after_a_while(
    of: TrainingInstance,
) -> None:
    """Else the operator and the garbage collector would race while no watch tells of an end."""
    written_last = WrittenToken(f"{build.POD_UID}-0", after(20))
    decided = decide(of, token_written=written_last, at=20.5)
    assert WriteToken not in kinds(decided)
    assert decided.deadline == after(22)
    assert WriteToken in kinds(decide(of, token_written=written_last, at=22))


def test_a_clock_that_is_set_back_keeps_no_token_from_being_written() -> None:
    written_last = WrittenToken(f"{build.POD_UID}-0", after(3600))
    assert WriteToken in kinds(decide(token_written=written_last, at=20))


def test_the_token_of_the_next_incarnation_is_written_at_once() -> None:
    written_last = WrittenToken(f"{build.POD_UID}-former", after(20))
    assert WriteToken in kinds(decide(TOLD, token_written=written_last, at=20.5))
