"""The operator may be killed at any instruction: one pod, nothing lost, nothing leaked."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from benchmarks.control_plane import free_port
from tests.e2e.support.cluster import REPOSITORY, Namespace, kubectl
from tests.support.api_proxy import ApiProxy, Call, Trap

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def no_operator() -> Iterator[None]:
    """The cluster's own operator is away while this module's one works."""
    scale = ["scale", "deployment/training-sandbox", "--namespace", "training-sandbox-system"]
    kubectl(*scale, "--replicas=0")
    kubectl(
        "wait",
        "--for=delete",
        "pod",
        "--namespace",
        "training-sandbox-system",
        "--selector",
        "app.kubernetes.io/component=operator",
        "--timeout=60s",
    )
    yield
    kubectl(*scale, "--replicas=2")
    kubectl(
        "rollout",
        "status",
        "deployment/training-sandbox",
        "--namespace",
        "training-sandbox-system",
        "--timeout=120s",
    )


@pytest.fixture
def api_server() -> Iterator[str]:
    """The API server in plain HTTP, as `kubectl proxy` gives it."""
    process = subprocess.Popen(
        ["kubectl", "proxy", "--port=0", "--accept-hosts=.*", "--reject-methods=^$"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield "http://" + process.stdout.readline().rsplit(" ", 1)[1].strip()
    process.kill()
    process.wait()


@pytest.fixture
def proxy(api_server: str) -> Iterator[ApiProxy]:
    with ApiProxy(api_server).running() as running:
        yield running


class Operator:
    """The operator as a process of this machine, reaching the API server through the proxy."""

    def __init__(self, proxy: ApiProxy, folder: Path, namespace: str) -> None:
        self._namespace = namespace
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": proxy.address}}],
            "users": [{"name": "proxy", "user": {"token": "unused"}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        }
        (folder / "kubeconfig").write_text(json.dumps(kubeconfig))
        catalogue = kubectl(
            "get",
            "configmap",
            "training-sandbox-catalogue",
            "--namespace",
            "training-sandbox-system",
            "--output",
            r"jsonpath={.data.catalogue\.yaml}",
        )
        (folder / "catalogue.yaml").write_text(catalogue)

    def start(self) -> None:
        log = (self._folder / "operator.log").open("ab")
        self._processes.append(
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "training_sandbox_operator",
                    "--namespace",
                    self._namespace,
                    "--health-port",
                    str(free_port()),
                    "--catalogue",
                    str(self._folder / "catalogue.yaml"),
                ],
                env={**os.environ, "KUBECONFIG": str(self._folder / "kubeconfig")},
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
            )
        )

    def kill(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGKILL)

    def wait_dead(self) -> None:
        for process in self._processes:
            process.wait(30)


@pytest.fixture
def operator(
    proxy: ApiProxy, tmp_path: Path, namespace: Namespace, no_operator: None
) -> Iterator[Operator]:
    operator = Operator(proxy, tmp_path, namespace.name)
    yield operator
    operator.kill()
    operator.wait_dead()


def writes_pod(call: Call) -> bool:
    return call.method in {"POST", "PATCH"} and "/pods" in call.path


def writes_status(number: int) -> Callable[[Call], bool]:
    """Matches the n-th write of an instance's status."""
    seen = 0

    def matches(call: Call) -> bool:
        nonlocal seen
        if call.method in {"PATCH", "PUT"} and re.search(
            r"/traininginstances/[^/]+/status", call.path
        ):
            seen += 1
        return seen == number

    return matches


def deletes_instance(call: Call) -> bool:
    return call.method == "DELETE" and "/traininginstances/" in call.path


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "point",
    [
        pytest.param(lambda: writes_pod, id="pod"),
        pytest.param(lambda: writes_status(1), id="first-status"),
        pytest.param(lambda: writes_status(2), id="second-status"),
    ],
)
def test_one_pod_whenever_the_operator_is_killed(
    when: Literal["before", "after"],
    point: Callable[[], Callable[[Call], bool]],
    proxy: ApiProxy,
    operator: Operator,
    namespace: Namespace,
) -> None:
    trap = Trap(when, point(), operator.kill)
    proxy.faults.append(trap)
    operator.start()
    namespace.apply("survivor", slots=1)
    operator.wait_dead()
    assert trap.fired

    operator.start()
    status = namespace.wait_phase("survivor", "Ready")
    pods = namespace.pods()
    assert [pod.metadata.name for pod in pods] == [status["podName"]]
    assert status["podUID"] == pods[0].metadata.uid

    namespace.delete("survivor")
    namespace.wait_no_pods()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_collection_is_finished_by_the_next_operator(
    when: Literal["before", "after"],
    proxy: ApiProxy,
    operator: Operator,
    namespace: Namespace,
) -> None:
    proxy.faults.append(Trap(when, deletes_instance, operator.kill))
    operator.start()
    namespace.apply("brief", slots=1, ttlSeconds=5)
    operator.wait_dead()
    operator.start()
    namespace.wait_gone("brief")
    namespace.wait_no_pods()


def test_a_converged_instance_costs_no_write_at_start(
    proxy: ApiProxy, operator: Operator, namespace: Namespace
) -> None:
    operator.start()
    namespace.apply("settled", slots=1)
    namespace.wait_phase("settled", "Ready")
    operator.kill()
    operator.wait_dead()
    version = namespace.instance("settled").metadata.resourceVersion

    proxy.calls.clear()
    operator.start()
    # Another instance is served: the operator has seen all that there is.
    namespace.apply("witness", slots=1)
    namespace.wait_phase("witness", "Ready")
    writes = [
        (call.method, call.path)
        for call in proxy.calls
        if call.method not in {"GET", "HEAD"}
        # What is created has its name in the body only.
        and ("settled" in call.path or b"settled" in call.body)
    ]
    assert writes == []
    assert namespace.instance("settled").metadata.resourceVersion == version
