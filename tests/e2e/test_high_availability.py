"""Two operators on the real cluster: one leads, and the other goes on where it ends."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from tests.e2e.support.cluster import Namespace, cluster_command, kubectl, wait_until
from tests.e2e.support.release import SYSTEM, leader, lease_holder

pytestmark = pytest.mark.alone

NAME = "training-sandbox"


def signal_leader(pod: str, name: str) -> None:
    """Send a signal to the leader's process from its node: nobody in a pod can kill its PID 1."""
    path = "jsonpath={.spec.nodeName}"
    node = kubectl("get", "pod", pod, "--namespace", SYSTEM, "--output", path)
    container = kubectl(
        *("get", "pod", pod, "--namespace", SYSTEM),
        *("--output", "jsonpath={.status.containerStatuses[0].containerID}"),
    ).partition("://")[2]
    script = (
        f"kill -{name} "
        f"$(crictl inspect --output go-template --template '{{{{.info.pid}}}}' {container})"
    )
    subprocess.run([cluster_command("node"), "exec", node, "sh", "-c", script], check=True)


@pytest.fixture
def leading() -> str:
    kubectl("scale", f"deployment/{NAME}", "--namespace", SYSTEM, "--replicas=2")
    kubectl("rollout", "status", f"deployment/{NAME}", "--namespace", SYSTEM, "--timeout=180s")
    return wait_until("somebody leads", leader)


def kill(pod: str) -> None:
    signal_leader(pod, "KILL")


def end(pod: str) -> None:
    signal_leader(pod, "TERM")


@pytest.mark.parametrize(("stop", "key"), [(kill, "sigkill"), (end, "sigterm")])
def test_another_operator_takes_over_and_nothing_is_doubled(
    stop: Callable[[str], None],
    key: str,
    leading: str,
    namespace: Namespace,
    measurements: dict[str, float],
) -> None:
    led = lease_holder()
    for number in range(3):
        namespace.apply(f"before-{number}", slots=1)
    stop(leading)
    begin = time.monotonic()
    for number in range(3):
        namespace.apply(f"after-{number}", slots=1)
    wait_until("another one leads", lambda: lease_holder() not in {"", led})
    wait_until("it works", lambda: namespace.status("after-0").get("podName"))
    measurements[f"handover_{key}_s"] = time.monotonic() - begin

    names = [f"{when}-{number}" for when in ("before", "after") for number in range(3)]
    statuses = [namespace.wait_phase(name, "Ready") for name in names]
    pods = {pod.metadata.name: pod.metadata.uid for pod in namespace.pods()}
    assert {status["podName"]: status["podUID"] for status in statuses} == pods
    for name in names:
        namespace.delete(name)
    namespace.wait_no_pods()
