"""Who reaches whom, for settings of the chart: the rendered policies, read by cyclonus."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.operator import builders as build
from tests.project.chart import only, render
from training_sandbox_operator.decisions.pod_spec import build_pod, build_warm_pod

Labels = dict[str, str]

_TABLE = re.compile(r"IS ALLOWED\?\s*\|\s*(TRUE|FALSE)")


@dataclass(frozen=True)
class Place:
    """A pod, or with no namespace an address outside of the cluster."""

    namespace: str = ""
    labels: Labels = field(default_factory=dict)
    address: str = "10.244.0.7"

    def peer(self) -> dict[str, Any]:
        if not self.namespace:
            return {"IP": self.address}
        inside = {
            "Namespace": self.namespace,
            "NamespaceLabels": {"kubernetes.io/metadata.name": self.namespace},
            "PodLabels": self.labels,
        }
        return {"IP": self.address, "Internal": inside}


TEAM = build.instance().key.namespace
INSTANCE = Place(TEAM, build_pod(build.instance(), build.APPWORLD)["metadata"]["labels"])
WARM = Place(TEAM, build_warm_pod(build.pool(), build.APPWORLD, 0)["metadata"]["labels"])
OPERATOR = Place("system", only(render(), "Deployment")["spec"]["template"]["metadata"]["labels"])
HELM_TEST = Place("system", only(render(), "Pod")["metadata"]["labels"])
IN_SYSTEM = Place("system", INSTANCE.labels)
TRAINER = Place(TEAM, {"app": "trainer"})
ELSEWHERE = Place("jobs", {"app": "trainer"})
SANDBOX_ELSEWHERE = Place("jobs", INSTANCE.labels)
PROMETHEUS = Place("monitoring", {"app.kubernetes.io/name": "prometheus"})
STRANGER = Place("default", {"app": "trainer"})
LIKE_THE_OPERATOR = Place("default", OPERATOR.labels)
DNS = Place("kube-system", {"k8s-app": "kube-dns"})
API_SERVER = Place(address="10.96.0.1")
CLOUD_CREDENTIALS = Place(address="169.254.169.254")
INTERNET = Place(address="203.0.113.7")

MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
OF_PROMETHEUS = {"podSelector": {"matchLabels": PROMETHEUS.labels}}
WAY_OUT = {"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "ports": [{"port": 443}]}
IN_TEAM = ("--set", f"instanceNamespaces={{{TEAM},system}}")


@dataclass(frozen=True)
class Row:
    source: Place
    target: Place
    port: int
    is_allowed: bool
    protocol: str = "TCP"

    def traffic(self) -> dict[str, Any]:
        return {
            "Source": self.source.peer(),
            "Destination": self.target.peer(),
            "Protocol": self.protocol,
            "ResolvedPort": self.port,
            "ResolvedPortName": "http" if self.port in {8000, 8080} else "",
        }


ALWAYS = (
    Row(OPERATOR, INSTANCE, 8000, is_allowed=True),
    Row(OPERATOR, WARM, 8000, is_allowed=True),
    Row(OPERATOR, INSTANCE, 22, is_allowed=False),
    Row(LIKE_THE_OPERATOR, INSTANCE, 8000, is_allowed=False),
    Row(STRANGER, INSTANCE, 8000, is_allowed=False),
    Row(STRANGER, WARM, 8000, is_allowed=False),
    Row(INTERNET, INSTANCE, 8000, is_allowed=False),
    Row(INSTANCE, WARM, 8000, is_allowed=False),
    Row(WARM, INSTANCE, 8000, is_allowed=False),
    Row(SANDBOX_ELSEWHERE, INSTANCE, 8000, is_allowed=False),
    Row(OPERATOR, API_SERVER, 443, is_allowed=True),
    Row(STRANGER, TRAINER, 80, is_allowed=True),
    Row(STRANGER, OPERATOR, 22, is_allowed=False),
)
NOTHING_GOES_OUT = (
    Row(INSTANCE, TRAINER, 80, is_allowed=False),
    Row(INSTANCE, OPERATOR, 8080, is_allowed=False),
    Row(INSTANCE, DNS, 53, is_allowed=False, protocol="UDP"),
    Row(INSTANCE, API_SERVER, 443, is_allowed=False),
    Row(INSTANCE, CLOUD_CREDENTIALS, 80, is_allowed=False),
    Row(WARM, INTERNET, 443, is_allowed=False),
)
OWN_NAMESPACE = (
    Row(TRAINER, INSTANCE, 8000, is_allowed=True),
    Row(HELM_TEST, IN_SYSTEM, 8000, is_allowed=True),
    Row(TRAINER, INSTANCE, 8080, is_allowed=False),
    Row(ELSEWHERE, INSTANCE, 8000, is_allowed=False),
    Row(PROMETHEUS, INSTANCE, 8000, is_allowed=False),
)
METRICS_FOR_ALL = (Row(STRANGER, OPERATOR, 8080, is_allowed=True),)

SETTINGS: dict[str, tuple[tuple[str, ...], tuple[Row, ...]]] = {
    "as it is": (IN_TEAM, (*ALWAYS, *NOTHING_GOES_OUT, *OWN_NAMESPACE, *METRICS_FOR_ALL)),
    "an operator of chosen namespaces": (
        ("--set", f"watchNamespaces={{{TEAM},system}}"),
        (*ALWAYS, *NOTHING_GOES_OUT, *OWN_NAMESPACE),
    ),
    "clients of another namespace only": (
        (
            *IN_TEAM,
            "--set",
            "networkPolicy.sameNamespace=false,networkPolicy.clientNamespaces={jobs}",
        ),
        (
            *ALWAYS,
            *NOTHING_GOES_OUT,
            Row(ELSEWHERE, INSTANCE, 8000, is_allowed=True),
            Row(ELSEWHERE, WARM, 8000, is_allowed=True),
            Row(ELSEWHERE, INSTANCE, 8080, is_allowed=False),
            Row(TRAINER, INSTANCE, 8000, is_allowed=False),
        ),
    ),
    "Prometheus, by its labels": (
        (
            *IN_TEAM,
            "--set-json",
            f"networkPolicy.clients={json.dumps([{**MONITORING, **OF_PROMETHEUS}])}",
            "--set-json",
            f"networkPolicy.scrapers={json.dumps([MONITORING])}",
        ),
        (
            *ALWAYS,
            *NOTHING_GOES_OUT,
            Row(PROMETHEUS, INSTANCE, 8000, is_allowed=True),
            Row(Place("monitoring", {"app": "x"}), INSTANCE, 8000, is_allowed=False),
            Row(TRAINER, INSTANCE, 8000, is_allowed=True),
            Row(PROMETHEUS, OPERATOR, 8080, is_allowed=True),
            Row(STRANGER, OPERATOR, 8080, is_allowed=False),
        ),
    ),
    "a way out": (
        (
            *IN_TEAM,
            "--set-json",
            f"networkPolicy.egress={json.dumps([WAY_OUT])}",
        ),
        (
            *ALWAYS,
            Row(INSTANCE, INTERNET, 443, is_allowed=True),
            Row(INSTANCE, INTERNET, 80, is_allowed=False),
            Row(INSTANCE, CLOUD_CREDENTIALS, 80, is_allowed=False),
            Row(INSTANCE, DNS, 53, is_allowed=False, protocol="UDP"),
        ),
    ),
    "namespaces that are not named are left alone": (
        (),
        (
            Row(HELM_TEST, IN_SYSTEM, 8000, is_allowed=True),
            Row(STRANGER, IN_SYSTEM, 8000, is_allowed=False),
            Row(IN_SYSTEM, INTERNET, 443, is_allowed=False),
            Row(STRANGER, INSTANCE, 8000, is_allowed=True),
            Row(INSTANCE, INTERNET, 443, is_allowed=True),
        ),
    ),
}


def answers(policies: list[dict[str, Any]], rows: tuple[Row, ...], folder: Path) -> list[bool]:
    """What cyclonus says of each row."""
    file, traffic = folder / "policies.yaml", folder / "traffic.json"
    file.write_text(json.dumps({"kind": "NetworkPolicyList", "items": policies}))
    traffic.write_text(json.dumps([row.traffic() for row in rows]))
    command = ["cyclonus", "analyze", "--mode", "query-traffic", "--policy-path", str(file)]
    result = subprocess.run(
        [*command, "--traffic-path", str(traffic)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    found = [answer == "TRUE" for answer in _TABLE.findall(result.stdout)]
    assert len(found) == len(rows), result.stdout
    return found


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_policies_let_through_what_the_setting_says(setting: str, tmp_path: Path) -> None:
    values, rows = SETTINGS[setting]
    policies = [one for one in render(*values) if one["kind"] == "NetworkPolicy"]
    wrong = [
        row
        for row, is_allowed in zip(rows, answers(policies, rows, tmp_path), strict=True)
        if is_allowed is not row.is_allowed
    ]
    assert not wrong


def test_policies_can_be_left_to_somebody_else() -> None:
    kinds = {one["kind"] for one in render("--set", "networkPolicy.enabled=false")}
    assert "NetworkPolicy" not in kinds
