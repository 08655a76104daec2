"""What fails is told by the status, and reaches the client as a typed error, never as a reward."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Solutions
from tests.e2e.support.cluster import Namespace, cluster_command, kubectl, run, wait_until
from tests.e2e.support.play import action
from training_sandbox import EpisodeLost, InstanceLost, InstanceNotReady, TrainingSandbox

TAKES_ALL_MEMORY = """
taken = []
while True:
    taken.append(b"x" * 10_000_000)
"""


@pytest.fixture
def task_id() -> str:
    return "multi_turn_base_0"


def test_a_deleted_pod_fails_its_instance_and_is_not_made_again(
    namespace: Namespace, task_id: str
) -> None:
    namespace.apply("robbed", retainFailed=True)
    status = namespace.wait_phase("robbed", "Ready")
    with TrainingSandbox.attach("robbed", namespace=namespace.name) as box:
        instance_id = box.create_instance(task_id=task_id)["info"]["instance_id"]
        kubectl("delete", "pod", status["podName"], "--namespace", namespace.name)
        namespace.wait_phase("robbed", "Failed")
        assert namespace.condition("robbed", "Ready")["reason"] == "PodDeleted"
        with pytest.raises(InstanceLost, match="PodDeleted"):
            box.step(instance_id, action("A message of no calls."))
    assert namespace.pods() == []


def test_a_failed_instance_is_collected_with_its_pod(namespace: Namespace) -> None:
    namespace.apply("robbed", ttlSecondsAfterFinished=3)
    status = namespace.wait_phase("robbed", "Ready")
    kubectl("delete", "pod", status["podName"], "--namespace", namespace.name)
    namespace.wait_gone("robbed")
    namespace.wait_no_pods()


def test_a_server_that_restarts_is_a_new_incarnation_and_its_episodes_are_lost(
    namespace: Namespace, task_id: str
) -> None:
    namespace.apply("restarted")
    before = namespace.wait_phase("restarted", "Ready")["incarnation"]
    with TrainingSandbox.attach("restarted", namespace=namespace.name) as box:
        instance_id = box.create_instance(task_id=task_id)["info"]["instance_id"]
        kill_server(namespace, "restarted")

        def reborn() -> bool:
            status = namespace.status("restarted")
            return status["phase"] == "Ready" and status["incarnation"] != before

        wait_until("the instance is Ready in a new incarnation", reborn)
        with pytest.raises(EpisodeLost):
            box.step(instance_id, action("A message of no calls."))
        again = box.create_instance(task_id=task_id)["info"]["instance_id"]
        assert not box.step(again, action("A message of no calls."))["is_terminated"]


def test_a_task_whose_server_dies_fails_its_instance(namespace: Namespace, task_id: str) -> None:
    namespace.apply("died", taskId=task_id, retainFailed=True)
    namespace.wait_phase("died", "Ready")
    with TrainingSandbox.attach("died", namespace=namespace.name) as box:
        box.create_instance(task_id=task_id, instance_id="died")
        kill_server(namespace, "died")
        namespace.wait_phase("died", "Failed")
        with pytest.raises(InstanceLost):
            box.step("died", action("A message of no calls."))
    assert len(namespace.pods()) == 1


def test_a_container_without_enough_memory_is_reported_as_oom_killed(namespace: Namespace) -> None:
    small = {"requests": {"memory": "48Mi"}, "limits": {"memory": "48Mi"}}
    namespace.apply("starved", resources=small, retainFailed=True)
    status = namespace.wait_phase("starved", "Failed", seconds=240)
    condition = namespace.condition("starved", "Ready")
    assert condition["reason"] in {"CrashLoop", "OOMKilled"}
    assert "OOMKilled" in condition["message"]
    assert status["podName"]
    assert any("OOMKilled" in event["message"] for event in namespace.events("starved"))


def test_an_episode_that_takes_all_memory_is_lost_and_the_others_go_on(
    namespace: Namespace, solutions: Solutions
) -> None:
    bounded = {"requests": {"memory": "512Mi"}, "limits": {"memory": "1Gi"}}
    namespace.apply("bounded", envType="appworld", resources=bounded)
    incarnation = namespace.wait_phase("bounded", "Ready")["incarnation"]
    task_id, solution = next(iter(solutions.items()))
    with TrainingSandbox.attach("bounded", namespace=namespace.name) as box:
        greedy = box.create_instance(task_id=task_id)["info"]["instance_id"]
        modest = box.create_instance(task_id=task_id)["info"]["instance_id"]
        with pytest.raises(EpisodeLost) as raised:
            box.step(greedy, action(TAKES_ALL_MEMORY))
        assert raised.value.details["reason"] == "out_of_memory"
        for code in solution["right"]:
            box.step(modest, action(code))
        assert box.evaluate(modest) == 1.0
    assert namespace.status("bounded")["incarnation"] == incarnation


def test_a_server_that_cannot_start_ends_as_a_crash_loop_with_its_last_words(
    namespace: Namespace,
) -> None:
    namespace.apply(
        "worldless", envType="appworld", env=[{"name": "APPWORLD_ROOT", "value": "/nowhere"}]
    )
    namespace.wait_phase("worldless", "Failed", seconds=240)
    condition = namespace.condition("worldless", "Ready")
    assert condition["reason"] == "CrashLoop"
    assert "/nowhere" in condition["message"]


def test_the_client_says_why_an_instance_never_became_ready(namespace: Namespace) -> None:
    with (
        pytest.raises(InstanceNotReady) as raised,
        TrainingSandbox(
            env_type="appworld",
            namespace=namespace.name,
            name="never",
            ready_timeout=20,
            image="localhost/no-such-image:1",
        ),
    ):
        pass
    assert "ImagePullFailed" in str(raised.value)
    assert "localhost/no-such-image:1" in str(raised.value)
    namespace.wait_gone("never")
    namespace.wait_no_pods()


@pytest.fixture
def stopped_node(namespace: Namespace) -> Iterator[list[str]]:
    """Nodes that the test stops; they are started again, and awaited, afterwards."""
    nodes: list[str] = []
    yield nodes
    for node in nodes:
        run(cluster_command("node"), "start", node)
        kubectl("wait", "--for=condition=Ready", f"node/{node}", "--timeout=180s")
        # Its network comes later: what starts there before that reaches no API server.
        of_the_node = ("--field-selector", f"spec.nodeName={node}", "--timeout=180s")
        kubectl("wait", "--for=condition=Ready", "pods", "--namespace", "kube-system", *of_the_node)


@pytest.mark.alone
def test_a_lost_node_fails_its_instances_and_others_go_on(
    namespace: Namespace,
    stopped_node: list[str],
    task_id: str,
    measurements: dict[str, float],
) -> None:
    # One of the two operators stays: the other one, which may lead, can be lost with the node.
    operator_node = kubectl(
        "get",
        "pods",
        "--all-namespaces",
        "--selector",
        "app.kubernetes.io/component=operator",
        "--field-selector",
        "status.phase=Running",
        "--output",
        "jsonpath={.items[0].spec.nodeName}",
    )
    node = next(
        name
        for name in kubectl(
            "get",
            "nodes",
            "--selector",
            "!node-role.kubernetes.io/control-plane",
            "--output",
            "jsonpath={.items[*].metadata.name}",
        ).split()
        if name != operator_node
    )
    namespace.apply(
        "stranded",
        nodeSelector={"kubernetes.io/hostname": node},
        retainFailed=True,
    )
    namespace.apply("elsewhere", nodeSelector={"kubernetes.io/hostname": operator_node})
    namespace.wait_phase("stranded", "Ready")
    namespace.wait_phase("elsewhere", "Ready")
    with (
        TrainingSandbox.attach("stranded", namespace=namespace.name) as box,
        TrainingSandbox.attach("elsewhere", namespace=namespace.name) as other,
    ):
        lost = box.create_instance(task_id=task_id)["info"]["instance_id"]
        kept = other.create_instance(task_id=task_id)["info"]["instance_id"]
        stopped_node.append(node)
        stopped = time.monotonic()
        run(cluster_command("node"), "stop", node)

        namespace.wait_phase("stranded", "Failed", seconds=180)
        measurements["node_lost_told_s"] = time.monotonic() - stopped
        assert namespace.condition("stranded", "Ready")["reason"] == "NodeLost"
        with pytest.raises(InstanceLost, match="NodeLost"):
            box.step(lost, action("A message of no calls."))
        assert not other.step(kept, action("A message of no calls."))["is_terminated"]
    namespace.delete("stranded")
    namespace.delete("elsewhere")
    # The pod of the lost node is not left Terminating for ever.
    namespace.wait_no_pods(seconds=180)


def kill_server(namespace: Namespace, name: str) -> None:
    """Kills the zygote, without which the server ends: a container may not kill its own init."""
    pod = namespace.status(name)["podName"]
    script = (
        "import os, pathlib, signal\n"
        "for entry in pathlib.Path('/proc').glob('[0-9]*'):\n"
        "    command = (entry / 'cmdline').read_bytes()\n"
        "    if b'training_sandbox_worker' in command and entry.name != '1':\n"
        "        os.kill(int(entry.name), signal.SIGKILL); break\n"
    )
    kubectl("exec", "--namespace", namespace.name, pod, "--", "python3", "-c", script)
