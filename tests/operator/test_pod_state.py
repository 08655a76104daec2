"""What the state of a pod means."""

from typing import Any

import pytest

from tests.operator import builders as build
from training_sandbox_operator.decisions.pod_state import PodState, Stage, assess


def state_of(status: dict[str, Any], *, seconds: float = 30, **pod: Any) -> PodState:
    owner = build.instance(**({"taskId": "t1"} if pod.pop("bound", False) else {}))
    return assess(build.pod(owner, status=status, **pod), build.after(seconds))


def unscheduled(message: str | None = None) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False"}
    if message is not None:
        condition |= {"reason": "Unschedulable", "message": message}
    return {"phase": "Pending", "conditions": [condition]}


def test_a_new_pod_waits_for_a_node() -> None:
    state = state_of({"phase": "Pending"}, node=None)
    assert (state.stage, state.reason) == (Stage.WAITING, "Scheduling")


def test_an_unschedulable_pod_says_what_the_scheduler_says() -> None:
    state = state_of(unscheduled("0/3 nodes are available: 3 Insufficient memory."), node=None)
    assert (state.stage, state.reason) == (Stage.WAITING, "Unschedulable")
    assert "Insufficient memory" in state.message


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
def test_an_image_that_cannot_be_had_says_what_the_kubelet_says(reason: str) -> None:
    status = build.pod_status(phase="Pending", state=build.waiting(reason, "manifest unknown"))
    state = state_of(status)
    assert (state.stage, state.reason, state.message) == (
        Stage.WAITING,
        "ImagePullFailed",
        "manifest unknown",
    )


def test_a_container_that_the_node_refuses_to_make_is_told() -> None:
    status = build.pod_status(
        phase="Pending", state=build.waiting("CreateContainerConfigError", "no such Secret")
    )
    state = state_of(status)
    assert (state.stage, state.reason, state.message) == (
        Stage.WAITING,
        "ContainerRefused",
        "no such Secret",
    )


def test_a_scheduled_pod_names_its_node() -> None:
    status = build.pod_status(phase="Pending", state=build.waiting("ContainerCreating"))
    state = state_of(status, node="gpu-4")
    assert (state.stage, state.reason) == (Stage.WAITING, "CreatingContainer")
    assert "gpu-4" in state.message


def test_a_server_boots_until_its_startup_is_used_up() -> None:
    status = build.pod_status(state=build.running(build.after(0)), started=False)
    state = state_of(status, seconds=59)
    assert (state.stage, state.reason) == (Stage.STARTING, "Booting")
    assert state.changes_at == build.after(60)


def test_a_server_that_has_not_booted_in_time_is_unresponsive() -> None:
    status = build.pod_status(state=build.running(build.after(0)), started=False)
    state = state_of(status, seconds=60)
    assert (state.stage, state.reason) == (Stage.STARTING, "Unresponsive")
    assert "60 s" in state.message


def test_a_ready_pod_serves() -> None:
    state = state_of(build.serving())
    assert (state.stage, state.reason) == (Stage.SERVING, "ServerReady")


def test_a_ready_pod_without_an_address_does_not_serve_yet() -> None:
    status = build.pod_status(ready=True, ip="", started=True, state=build.running())
    state = state_of(status)
    assert state.stage is Stage.STARTING
    assert not state.answers


def test_an_unready_server_that_runs_can_be_asked_why() -> None:
    state = state_of(build.unready(build.after(20)))
    assert (state.stage, state.reason, state.answers) == (Stage.STARTING, "ServerNotReady", True)


def test_an_open_server_that_ended_is_being_restarted_and_says_why() -> None:
    status = build.pod_status(state=build.terminated(137, "OOMKilled"), restartCount=0)
    state = state_of(status)
    assert (state.stage, state.reason) == (Stage.STARTING, "Restarting")
    assert "OOMKilled" in state.message
    assert "137" in state.message


@pytest.mark.parametrize(
    ("restarts", "stage", "reason"),
    [(2, Stage.STARTING, "Restarting"), (3, Stage.LOST, "CrashLoop")],
)
def test_three_restarts_in_back_off_are_a_crash_loop(
    restarts: int, stage: Stage, reason: str
) -> None:
    status = build.pod_status(
        state=build.waiting("CrashLoopBackOff"),
        lastState=build.terminated(70, message='{"reason": "ZygoteDied", "message": "signal 9"}'),
        restartCount=restarts,
    )
    state = state_of(status)
    assert (state.stage, state.reason) == (stage, reason)
    assert "exit code 70, ZygoteDied: signal 9" in state.message


def test_a_restarted_server_that_boots_again_says_why_it_was_restarted() -> None:
    status = build.pod_status(
        state=build.running(build.after(20)),
        lastState=build.terminated(137, "OOMKilled"),
        restartCount=1,
        started=False,
    )
    state = state_of(status)
    assert state.reason == "Booting"
    assert "OOMKilled" in state.message


def test_a_bound_task_that_cannot_be_opened_fails_with_the_servers_reason() -> None:
    status = build.pod_status(
        phase="Failed",
        state=build.terminated(64, message='{"reason": "UnknownTask", "message": "no task x"}'),
    )
    state = state_of(status, bound=True)
    assert (state.stage, state.reason) == (Stage.LOST, "UnknownTask")
    assert "no task x" in state.message


@pytest.mark.parametrize(
    "message",
    ["Traceback: boom", "[1]", '{"reason": "not a reason!", "message": "boom"}', "{}", "", "1e9"],
)
def test_any_other_end_of_a_bound_server_is_told_as_it_is(message: str) -> None:
    status = build.pod_status(phase="Failed", state=build.terminated(1, message=message))
    state = state_of(status, bound=True)
    assert (state.stage, state.reason) == (Stage.LOST, "ServerExited")
    assert "exit code 1" in state.message


def test_a_bound_server_that_was_killed_for_memory_says_so() -> None:
    status = build.pod_status(phase="Failed", state=build.terminated(137, "OOMKilled", "{}"))
    assert state_of(status, bound=True).reason == "OOMKilled"


def test_an_evicted_pod_is_lost_with_the_kubelets_message() -> None:
    status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}
    state = state_of(status)
    assert (state.stage, state.reason) == (Stage.LOST, "Evicted")
    assert "low on memory" in state.message


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("OutOfcpu", "OutOfcpu"),
        ("OutOfephemeral-storage", "OutOfephemeral_storage"),
        ("OutOfnvidia.com/gpu", "OutOfnvidia_com_gpu"),
        ("", "ServerExited"),
        ("-", "ServerExited"),
    ],
)
def test_a_pod_that_the_kubelet_did_not_admit_is_lost_with_a_reason_that_a_condition_may_have(
    reason: str, told: str
) -> None:
    state = state_of({"phase": "Failed", "reason": reason, "message": "not enough"})
    assert (state.stage, state.reason) == (Stage.LOST, told)


@pytest.mark.parametrize(
    ("disruption", "reason"),
    [
        ("DeletionByTaintManager", "NodeLost"),
        ("DeletionByPodGC", "NodeLost"),
        ("EvictionByEvictionAPI", "Evicted"),
        ("PreemptionByScheduler", "Evicted"),
        ("TerminationByKubelet", "Evicted"),
    ],
)
def test_a_pod_that_is_taken_away_says_by_whom(disruption: str, reason: str) -> None:
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": disruption,
        "message": "because",
    }
    status = {**build.serving(), "conditions": [condition]}
    state = state_of(status, terminates_at=build.after(60))
    assert (state.stage, state.reason) == (Stage.LOST, reason)


def test_a_pod_that_is_deleted_by_hand_is_lost_though_it_still_serves() -> None:
    state = state_of(build.serving(), terminates_at=build.after(60))
    assert (state.stage, state.reason) == (Stage.LOST, "PodDeleted")


def test_a_server_that_has_booted_and_is_not_ready_yet_still_boots() -> None:
    status = build.pod_status(state=build.running(build.after(5)), started=True)
    assert state_of(status, seconds=10).reason == "Booting"
    assert state_of(status, seconds=65).reason == "ServerNotReady"


def test_a_bound_server_that_ended_is_lost_before_its_pod_is() -> None:
    status = build.pod_status(phase="Running", state=build.terminated(64))
    assert state_of(status, bound=True).stage is Stage.LOST
