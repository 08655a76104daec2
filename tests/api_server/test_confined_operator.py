"""An operator with the chart's rights in one namespace works there, and knows of no other.

Its pods are kept by the chart's PodDisruptionBudget.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api_server.conftest import Cluster

GROUP = "apis/trainingsandbox.dev/v1alpha1/namespaces"


def manifest(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "trainingsandbox.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"envType": "bfcl", **spec},
    }


def wait_until(what: str, probe: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := probe()):
        assert time.monotonic() < deadline, f"not within 60 s: {what}"
        time.sleep(0.1)
    return found


class Operator:
    def __init__(self, port: int, log: Path) -> None:
        self._port = port
        self._log = log

    def refused_calls(self) -> list[str]:
        """What the API server has refused of all that the operator asked."""
        url = f"http://127.0.0.1:{self._port}/metrics"
        with urllib.request.urlopen(url) as answer:
            metrics = answer.read().decode()
        calls = [one for one in metrics.splitlines() if "operator_api_calls_total{" in one]
        assert calls
        refused = [one for one in calls if re.search(r'status="(401|403)"', one)]
        return [*refused, *re.findall(r".*[Ff]orbidden.*", self._log.read_text())]


@pytest.fixture
def operator(kubeconfig_of: Callable[[str, str], str], tmp_path: Path) -> Iterator[Operator]:
    """The operator as the chart runs it, with the token of its ServiceAccount."""
    catalogue, log = tmp_path / "catalogue.yaml", tmp_path / "operator.log"
    catalogue.write_text("environments: {bfcl: {image: 'x:1', startupSeconds: 60}}")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {**os.environ, "KUBECONFIG": kubeconfig_of("system", "release-training-sandbox")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "training_sandbox_operator",
                "--namespace=inside",
                f"--catalogue={catalogue}",
                "--lease=system/release-training-sandbox",
                f"--health-port={port}",
            ],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield Operator(port, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def phase(cluster: Cluster, namespace: str, name: str) -> str | None:
    path = f"{GROUP}/{namespace}/traininginstances/{name}"
    answer = cluster.ask("GET", path)
    return answer.json().get("status", {}).get("phase") if answer.is_success else None


def test_it_works_where_it_may_and_leaves_the_rest_alone(
    administrator: Cluster, operator: Operator
) -> None:
    instances = f"{GROUP}/{{}}/traininginstances"
    administrator.create(instances.format("outside"), manifest("TrainingInstance", "alone"))
    administrator.create(instances.format("inside"), manifest("TrainingInstance", "cold"))
    administrator.create(
        f"{GROUP}/inside/trainingpools", manifest("TrainingPool", "warm", replicas=1)
    )
    claim = manifest("TrainingInstance", "claimed", poolRef={"name": "warm"})
    administrator.create(instances.format("inside"), claim)

    for name in ("cold", "claimed"):
        wait_until(
            f"{name} is Ready", lambda name=name: phase(administrator, "inside", name) == "Ready"
        )
    path = f"{instances.format('inside')}/claimed"
    assert administrator.ask("PATCH", path, {"spec": {"ttlSeconds": 1}}).is_success
    wait_until("the claim is collected", lambda: phase(administrator, "inside", "claimed") is None)
    wait_until(
        "there are Events", lambda: administrator.get("api/v1/namespaces/inside/events")["items"]
    )
    assert phase(administrator, "outside", "alone") is None
    assert administrator.get("api/v1/namespaces/outside/pods")["items"] == []
    assert operator.refused_calls() == []


@pytest.fixture
def drains(administrator: Cluster) -> None:
    """The controller that says which pods may be evicted."""
    plane = administrator.plane
    plane.run(
        "disruption-controller",
        str(plane.folder / "kube-controller-manager"),
        f"--kubeconfig={plane.kubeconfig}",
        "--controllers=disruption-controller",
        "--secure-port=0",
        "--leader-elect=false",
    )


def evict(cluster: Cluster, pod: str) -> tuple[int, str]:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    path = f"api/v1/namespaces/inside/pods/{pod}/eviction"
    answer = cluster.ask("POST", path, eviction)
    return answer.status_code, answer.text


def test_a_drain_waits_for_what_is_claimed_and_for_nothing_else(
    administrator: Cluster, operator: Operator, drains: None
) -> None:
    instance = f"{GROUP}/inside/traininginstances"
    pool = manifest("TrainingPool", "drained", replicas=1)
    administrator.create(f"{GROUP}/inside/trainingpools", pool)
    claim = manifest("TrainingInstance", "kept", poolRef={"name": "drained"})
    administrator.create(instance, claim)
    wait_until("it is Ready", lambda: phase(administrator, "inside", "kept") == "Ready")
    pods = "api/v1/namespaces/inside/pods?labelSelector=trainingsandbox.dev/pool=drained"

    def warm() -> list[str]:
        return [
            pod["metadata"]["name"]
            for pod in administrator.get(pods)["items"]
            if pod["metadata"]["ownerReferences"][0]["kind"] == "TrainingPool"
            and any(
                (one["type"], one["status"]) == ("Ready", "True")
                for one in pod["status"].get("conditions", ())
            )
        ]

    budget = (
        "apis/policy/v1/namespaces/inside/poddisruptionbudgets/release-training-sandbox-instances"
    )
    wait_until(
        "the claimed pod is counted",
        lambda: administrator.get(budget).get("status", {}).get("currentHealthy"),
    )
    (spare,) = wait_until("a pod is warm", warm)
    mine = administrator.get(f"{instance}/kept")["status"]["podName"]
    status, message = evict(administrator, mine)
    assert status == 429
    assert "disruption budget" in message
    assert evict(administrator, spare)[0] == 201
    assert phase(administrator, "inside", "kept") == "Ready"

    assert administrator.ask("DELETE", budget).is_success
    assert evict(administrator, mine)[0] == 201
    wait_until("it has failed", lambda: phase(administrator, "inside", "kept") == "Failed")
    condition = administrator.get(f"{instance}/kept")["status"]["conditions"][0]
    assert condition["reason"] == "Evicted"
