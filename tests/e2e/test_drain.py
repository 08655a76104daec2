"""A node is drained: it waits for instances where the chart says so, else their loss is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.support.cluster import Namespace, kubectl, run
from tests.e2e.support.play import action
from tests.e2e.support.release import CHART
from training_sandbox import InstanceLost, TrainingSandbox

pytestmark = pytest.mark.alone

TASK = "multi_turn_base_0"


@pytest.fixture
def cordoned() -> Iterator[list[str]]:
    """Nodes that the test drains; they take pods again afterwards."""
    nodes: list[str] = []
    yield nodes
    for node in nodes:
        kubectl("uncordon", node)


def drain(node: str, instance: str, *, seconds: int) -> str:
    """Evict the pod of this instance alone: the node has those of other tests."""
    return kubectl(
        *("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force"),
        *("--pod-selector", f"trainingsandbox.dev/instance={instance}"),
        f"--timeout={seconds}s",
        check=False,
    )


def budget_of(namespace: Namespace) -> str:
    return run(
        *("helm", "template", "training-sandbox", str(CHART), "--kube-version", "1.36.0"),
        *("--set", f"instanceNamespaces={{{namespace.name}}}"),
        *("--show-only", "templates/instance-poddisruptionbudget.yaml"),
    )


def test_a_drain_waits_for_an_instance_and_then_its_loss_is_told(
    namespace: Namespace, cordoned: list[str]
) -> None:
    kubectl("apply", "--filename", "-", stdin=budget_of(namespace))
    name = f"drained-{namespace.name}"
    namespace.apply(name, retainFailed=True)
    node = namespace.wait_phase(name, "Ready")["nodeName"]
    cordoned.append(node)
    with TrainingSandbox.attach(name, namespace=namespace.name) as box:
        episode = box.create_instance(task_id=TASK)["info"]["instance_id"]
        assert "disruption budget" in drain(node, name, seconds=10)
        box.step(episode, action("A message of no calls."))
        assert namespace.status(name)["phase"] == "Ready"

        kubectl("delete", "pdb", "training-sandbox-instances", "--namespace", namespace.name)
        assert "drained" in drain(node, name, seconds=60)
        namespace.wait_phase(name, "Failed", seconds=30)
        assert namespace.condition(name, "Ready")["reason"] == "Evicted"
        with pytest.raises(InstanceLost, match="Evicted"):
            box.step(episode, action("A message of no calls."))
