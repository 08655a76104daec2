"""Pools on the real cluster: claims, tasks, replacement, and the rules of the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.crd_cases import BadObject, manifest
from tests.e2e.pool_cases import BAD_CLAIMS, BAD_POOLS, BadPool
from tests.e2e.support.cluster import Namespace, kubectl, wait_until
from training_sandbox import TrainingSandbox

CLAIM = {"poolRef": {"name": "warm"}}


def apply(document: dict[str, Any]) -> str:
    return kubectl(
        "apply", "--validate=ignore", "--filename", "-", stdin=json.dumps(document), check=False
    )


@pytest.fixture
def warm(namespace: Namespace) -> Iterator[Namespace]:
    """A namespace with a pool of two warm pods."""
    namespace.apply_pool("warm", replicas=2, slots=2)
    namespace.wait_warm("warm", 2)
    yield namespace
    kubectl("delete", "tpool", "warm", "--namespace", namespace.name, "--ignore-not-found")


def test_a_claim_takes_a_warm_pod_and_the_pool_makes_another(warm: Namespace) -> None:
    before = {pod.metadata.name for pod in warm.pods() if pod.metadata}
    warm.apply("claimed", **CLAIM)
    status = warm.wait_phase("claimed", "Ready", seconds=20)
    assert status["podName"] in before
    pod = warm.pod_of("claimed")
    assert pod.metadata
    assert [(one.kind, one.name) for one in pod.metadata.ownerReferences or []] == [
        ("TrainingInstance", "claimed")
    ]
    warm.wait_warm("warm", 2)
    warm.delete("claimed")
    wait_until(
        "the claimed pod goes with its instance",
        lambda: status["podName"] not in {pod.metadata.name for pod in warm.pods() if pod.metadata},
    )


def test_a_task_is_opened_in_the_pod_that_is_taken(warm: Namespace) -> None:
    task = "multi_turn_base_0"
    warm.apply("task", **CLAIM, taskId=task)
    status = warm.wait_phase("task", "Ready", seconds=60)
    with TrainingSandbox.attach("task", namespace=warm.name) as box:
        answer = box.status()
    assert answer["incarnation"] == status["incarnation"]
    assert answer["task"]
    assert (answer["task"]["task_id"], answer["task"]["episode_id"]) == (task, "task")
    assert answer["slots"]["total"] == 1


def test_a_task_that_is_not_known_fails_the_instance(warm: Namespace) -> None:
    warm.apply("unknown", **CLAIM, taskId="no-such-task", ttlSecondsAfterFinished=300)
    warm.wait_phase("unknown", "Failed", seconds=60)
    assert warm.condition("unknown", "Ready")["reason"] == "UnknownTask"


def test_a_claim_waits_for_a_pod_and_is_served_when_there_is_one(namespace: Namespace) -> None:
    namespace.apply_pool("warm", replicas=0, slots=1)
    namespace.apply("patient", **CLAIM)
    namespace.wait_ready_condition("patient", "WaitingForPool")
    kubectl("scale", "tpool/warm", "--replicas=1", "--namespace", namespace.name)
    namespace.wait_phase("patient", "Ready")


def test_a_horizontal_pod_autoscaler_scales_a_pool(namespace: Namespace) -> None:
    namespace.apply_pool("warm", replicas=1)
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "warm", "namespace": namespace.name},
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "trainingsandbox.dev/v1alpha1",
                "kind": "TrainingPool",
                "name": "warm",
            },
            # More than there are, which needs no metrics.
            "minReplicas": 2,
            "maxReplicas": 3,
        },
    }
    kubectl("apply", "--filename", "-", stdin=json.dumps(autoscaler))
    namespace.wait_warm("warm", 2)
    assert namespace.pool_status("warm")["targetReplicas"] == 2


def test_the_scale_subresource_selects_what_nobody_has_claimed(warm: Namespace) -> None:
    """By this selector an autoscaler finds the pods whose metrics it goes by."""
    warm.apply("claimed", **CLAIM)
    claimed = warm.wait_phase("claimed", "Ready", seconds=20)["podName"]
    path = f"/apis/trainingsandbox.dev/v1alpha1/namespaces/{warm.name}/trainingpools/warm/scale"

    def selected() -> list[str]:
        scale = json.loads(kubectl("get", "--raw", path))["status"]
        of = ("--namespace", warm.name, "--selector", scale["selector"])
        found = kubectl("get", "pods", *of, "--output", "name").split()
        return found if len(found) == scale["replicas"] == 2 else []

    found = wait_until("the claimed pod is replaced", selected, seconds=60)
    assert f"pod/{claimed}" not in found


def test_a_pool_follows_demand(namespace: Namespace) -> None:
    namespace.apply_pool("warm", slots=1, minReplicas=0, maxReplicas=3)
    for name in ("first", "second"):
        namespace.apply(name, **CLAIM)
    for name in ("first", "second"):
        namespace.wait_phase(name, "Ready")
    assert 1 <= namespace.pool_status("warm")["targetReplicas"] <= 3


def test_another_variable_replaces_warm_pods_and_not_claimed_ones(warm: Namespace) -> None:
    warm.apply("claimed", **CLAIM)
    kept = warm.wait_phase("claimed", "Ready", seconds=20)["podUID"]
    warm.wait_warm("warm", 2)
    before = warm.pool_status("warm")["templateHash"]
    patch = json.dumps({"spec": {"env": [{"name": "LANG", "value": "C.UTF-8"}]}})
    kubectl("patch", "tpool", "warm", "--namespace", warm.name, "--type=merge", "--patch", patch)

    def is_replaced() -> bool:
        status = warm.pool_status("warm")
        return status["templateHash"] != before and (
            status["updatedReplicas"] == status["readyReplicas"] == status["replicas"] == 2
        )

    wait_until("all warm pods are of the new template", is_replaced, seconds=240)
    status = warm.status("claimed")
    assert (status["phase"], status["podUID"]) == ("Ready", kept)


@pytest.mark.parametrize("case", BAD_POOLS, ids=lambda case: case.what)
def test_a_bad_pool_is_refused_by_the_name_of_its_field(case: BadPool, shared: Namespace) -> None:
    answer = apply(case.manifest(shared.name))
    for fragment in case.told:
        assert fragment in answer


@pytest.mark.parametrize("case", BAD_CLAIMS, ids=lambda case: case.what)
def test_a_bad_claim_is_refused_by_the_name_of_its_field(
    case: BadObject, shared: Namespace
) -> None:
    answer = apply(case.manifest(shared.name))
    for fragment in case.told:
        assert fragment in answer


def test_a_claim_cannot_be_moved_to_another_pool(namespace: Namespace) -> None:
    apply(manifest("claim", namespace.name, CLAIM))
    answer = kubectl(
        "patch",
        "ti",
        "claim",
        "--namespace",
        namespace.name,
        "--type=merge",
        "--patch",
        json.dumps({"spec": {"poolRef": {"name": "other"}}}),
        check=False,
    )
    assert "immutable" in answer
