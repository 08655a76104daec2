"""What the cluster lets through: Pod Security, rights of users, overrides, a confined operator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.pool_cases import pool
from tests.e2e.support.cluster import Namespace, kubectl, wait_until
from tests.e2e.support.release import SYSTEM, operator_pods, upgrade

pytestmark = pytest.mark.alone


def test_a_restricted_namespace_runs_instances_and_pools(namespace: Namespace) -> None:
    enforced = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", namespace.name, enforced)
    warm = pool("warm", namespace.name, {"envType": "bfcl", "replicas": 1})
    kubectl("apply", "--filename", "-", stdin=json.dumps(warm))
    namespace.apply("cold")
    namespace.apply("claimed", poolRef={"name": "warm"})
    namespace.wait_phase("cold", "Ready")
    namespace.wait_phase("claimed", "Ready")


def test_the_operators_pod_would_run_in_a_restricted_namespace() -> None:
    told = kubectl(
        *("label", "--dry-run=server", "--overwrite", "namespace", SYSTEM),
        "pod-security.kubernetes.io/enforce=restricted",
        check=False,
    )
    assert "labeled" in told
    # The API server warns of pods that are there and would be refused.
    assert "violate" not in told


INSTANCES = "traininginstances.trainingsandbox.dev"


def may(user: str, verb: str, resource: str, namespace: str, *more: str) -> bool:
    answer = kubectl(
        *("auth", "can-i", verb, resource, *more, "--as", user, "--namespace", namespace),
        check=False,
    )
    return answer.startswith("yes")


@pytest.mark.parametrize("role", ["training-sandbox-user", "edit"])
def test_users_get_instances_by_their_role(role: str, namespace: Namespace) -> None:
    user = f"user-of-{role}"
    kubectl(
        *("create", "rolebinding", user, "--clusterrole", role, "--user", user),
        *("--namespace", namespace.name),
    )
    for verb in ("create", "get", "list", "watch", "patch", "delete"):
        assert may(user, verb, INSTANCES, namespace.name)
    assert not may(user, "create", INSTANCES, SYSTEM)
    assert not may(user, "patch", INSTANCES, namespace.name, "--subresource=status")
    # An editor has these anyway; somebody who is a user only has them not.
    for resource in ("pods", "secrets"):
        assert may(user, "create", resource, namespace.name) is (role == "edit")


def test_an_override_that_concerns_others_gets_no_pod(namespace: Namespace) -> None:
    namespace.apply("pushy", priorityClassName="system-node-critical")
    condition = namespace.wait_ready_condition("pushy", "OverrideNotAllowed")
    assert "spec.priorityClassName" in condition["message"]
    assert "allowed: none" in condition["message"]
    assert namespace.pods() == []


def test_an_operator_of_one_namespace_leaves_others_alone(
    values: Path, namespace: Namespace, shared: Namespace, tmp_path: Path
) -> None:
    confined = tmp_path / "confined.json"
    settings = {**json.loads(values.read_text()), "watchNamespaces": [namespace.name]}
    confined.write_text(json.dumps(settings))
    unconfined = operator_pods()
    upgrade(confined)
    wait_until("those are gone", lambda: unconfined.isdisjoint(operator_pods()))
    shared.apply("left-alone")
    namespace.apply("served")
    namespace.wait_phase("served", "Ready")
    assert shared.status("left-alone") == {}
    operator = f"system:serviceaccount:{SYSTEM}:training-sandbox"
    assert may(operator, "create", "pods", namespace.name)
    assert not may(operator, "create", "pods", shared.name)
    # Its doors are where it works.
    for kind in ("networkpolicy", "poddisruptionbudget"):
        kubectl("get", kind, "training-sandbox-instances", "--namespace", namespace.name)

    upgrade(values)
    wait_until("the other is served", lambda: shared.status("left-alone"))
    shared.delete("left-alone")
