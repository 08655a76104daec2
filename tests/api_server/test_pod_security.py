"""A namespace that enforces Pod Security "restricted" takes every pod of this project."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_server.conftest import Cluster
from tests.operator import builders as build
from tests.project.chart import only, render
from training_sandbox_operator.decisions.pod_spec import build_pod, build_warm_pod
from training_sandbox_operator.model.catalogue import parse_catalogue

PODS = "api/v1/namespaces/restricted/pods?dryRun=All"
CATALOGUE = parse_catalogue(only(render(), "ConfigMap")["data"]["catalogue.yaml"])


SPREAD = {
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
        }
    ]
}


def operators() -> dict[str, Any]:
    template = only(render(), "Deployment")["spec"]["template"]
    return {"metadata": {**template["metadata"], "name": "operator"}, "spec": template["spec"]}


OURS = {
    "the operator": operators(),
    "helm test": only(render(), "Pod"),
    **{
        f"an instance of {name}": build_pod(build.instance(envType=name), environment)
        for name, environment in CATALOGUE.environments.items()
    },
    "a bound task": build_pod(build.instance(taskId="t1"), build.APPWORLD),
    "a warm pod": build_warm_pod(build.pool(), build.APPWORLD, 0),
    "a warm pod that is spread": build_warm_pod(build.pool(**SPREAD), build.APPWORLD, 0),
}


def asked(pod: dict[str, Any]) -> dict[str, Any]:
    return {**pod, "metadata": {**pod["metadata"], "namespace": "restricted"}}


@pytest.mark.parametrize("whose", OURS)
def test_a_restricted_namespace_takes(whose: str, administrator: Cluster) -> None:
    answer = administrator.ask("POST", PODS, asked(OURS[whose]))
    assert answer.status_code == 201, answer.text


def test_a_restricted_namespace_takes_not_everything(administrator: Cluster) -> None:
    pod = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
    answer = administrator.ask("POST", PODS, asked(pod))
    assert answer.status_code == 403
    assert 'violates PodSecurity "restricted' in answer.json()["message"]
