"""Where pods go, and why they do not."""

from __future__ import annotations

import pytest

from tests.e2e.support.cluster import Namespace, kubectl

pytestmark = pytest.mark.alone


def test_instances_spread_over_the_workers(namespace: Namespace) -> None:
    names = [f"spread-{number}" for number in range(4)]
    for name in names:
        namespace.apply(name, slots=1)
    for name in names:
        namespace.wait_phase(name, "Ready")
    nodes = {namespace.pod_of(name).spec.nodeName for name in names}
    workers = kubectl(
        "get",
        "nodes",
        "--selector",
        "!node-role.kubernetes.io/control-plane",
        "--output",
        "jsonpath={.items[*].metadata.name}",
    ).split()
    assert nodes == set(workers)
    assert len(workers) >= 2


def test_an_instance_that_fits_no_node_says_so(namespace: Namespace) -> None:
    namespace.apply("huge", resources={"requests": {"cpu": "1000"}})
    condition = namespace.wait_ready_condition("huge", "Unschedulable")
    assert "Insufficient cpu" in condition["message"]
    assert namespace.status("huge")["phase"] == "Pending"
    namespace.delete("huge")
    namespace.wait_no_pods()


def test_an_image_that_does_not_exist_is_named(namespace: Namespace) -> None:
    namespace.apply("imageless", image="localhost/no-such-image:1")
    condition = namespace.wait_ready_condition("imageless", "ImagePullFailed")
    assert "localhost/no-such-image:1" in condition["message"]
    assert namespace.status("imageless")["phase"] == "Pending"
    assert any(event["reason"] == "ImagePullFailed" for event in namespace.events("imageless"))
    namespace.delete("imageless")
    namespace.wait_no_pods()


def test_an_unknown_environment_makes_no_pod_and_names_the_known_ones(
    namespace: Namespace,
) -> None:
    namespace.apply("unknown", envType="chess")
    condition = namespace.wait_ready_condition("unknown", "UnknownEnvironment")
    assert "chess" in condition["message"]
    assert "appworld" in condition["message"]
    assert namespace.pods() == []


def test_an_unknown_task_fails_the_instance_with_the_servers_words(namespace: Namespace) -> None:
    namespace.apply("taskless", taskId="no-such-task", retainFailed=True)
    namespace.wait_phase("taskless", "Failed")
    condition = namespace.condition("taskless", "Ready")
    assert condition["reason"] == "UnknownTask"
    assert "no-such-task" in condition["message"]
