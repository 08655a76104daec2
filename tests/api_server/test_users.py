"""What somebody who has the chart's role for users can do, and what the API server refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_server.conftest import Cluster
from tests.operator.escalation import OF_BOTH, OF_INSTANCES, OF_POOLS, Attempt

GROUP = "apis/trainingsandbox.dev/v1alpha1/namespaces"
TRIED = "?dryRun=All"


def asked_of(kind: str, attempt: Attempt) -> tuple[str, dict[str, Any]]:
    plural = f"{kind.lower()}s"
    number = {"replicas": 1} if kind == "TrainingPool" else {}
    if "maxReplicas" in attempt.spec or "minReplicas" in attempt.spec:
        number = {"maxReplicas": 5}
    return f"{GROUP}/inside/{plural}", {
        "apiVersion": "trainingsandbox.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "tried"},
        "spec": {"envType": "appworld", **number, **attempt.spec},
    }


CASES = [
    pytest.param(kind, one, id=f"{kind}, {field}: {one.what}")
    for kind, tables in (
        ("TrainingInstance", (OF_BOTH, OF_INSTANCES)),
        ("TrainingPool", (OF_BOTH, OF_POOLS)),
    )
    for table in tables
    for field, some in table.items()
    for one in some
]


@pytest.mark.parametrize(("kind", "attempt"), CASES)
def test_the_api_server_refuses_what_the_operator_is_not_to_see(
    kind: str, attempt: Attempt, user: Cluster
) -> None:
    path, body = asked_of(kind, attempt)
    answer = user.ask("POST", path + TRIED, body)
    assert answer.status_code == (422 if attempt.refused else 201), answer.text
    for fragment in attempt.refused:
        assert fragment in answer.json()["message"]


def test_a_user_may_work_with_instances_and_pools_of_the_namespace(user: Cluster) -> None:
    for kind in ("TrainingInstance", "TrainingPool"):
        path, body = asked_of(kind, Attempt("", {}))
        user.create(path, body)
        user.get(path)
        changed = {"metadata": {"labels": {"team": "rl"}}}
        assert user.ask("PATCH", f"{path}/tried", changed).status_code == 200
        assert user.ask("DELETE", f"{path}/tried").status_code == 200


POD = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "x", "image": "x"}]}}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "api/v1/namespaces/inside/pods", POD),
        ("GET", "api/v1/namespaces/inside/secrets", None),
        ("GET", "api/v1/namespaces/inside/pods", None),
        ("GET", f"{GROUP}/outside/traininginstances", None),
        ("PATCH", f"{GROUP}/inside/traininginstances/x/status", {"status": {"phase": "Ready"}}),
        ("DELETE", "apis/networking.k8s.io/v1/namespaces/inside/networkpolicies", None),
        ("DELETE", "apis/policy/v1/namespaces/inside/poddisruptionbudgets", None),
    ],
)
def test_a_user_may_do_nothing_else(method: str, path: str, body: object, user: Cluster) -> None:
    assert user.ask(method, path + TRIED, body).status_code == 403


def test_a_user_cannot_say_what_the_operator_has_seen(user: Cluster) -> None:
    path, body = asked_of("TrainingInstance", Attempt("", {}))
    told = {"phase": "Ready", "endpoint": "http://169.254.169.254"}
    answer = user.ask("POST", path + TRIED, {**body, "status": told})
    assert answer.status_code == 201
    assert "status" not in answer.json()
