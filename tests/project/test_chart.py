"""The chart, rendered and linted by the real Helm, with no cluster."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from training_sandbox_operator.model.catalogue import parse_catalogue

CHART = Path(__file__).resolve().parents[2] / "charts" / "training-sandbox"


# A helm that was built from source does not know which Kubernetes it is for.
KUBERNETES = ("--kube-version", "1.36.0")


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)


def render(*arguments: str) -> list[dict[str, Any]]:
    result = helm(
        "template", "release", str(CHART), "--namespace", "system", *KUBERNETES, *arguments
    )
    assert result.returncode == 0, result.stderr
    return [document for document in yaml.safe_load_all(result.stdout) if document]


def only(documents: list[dict[str, Any]], kind: str, **match: str) -> dict[str, Any]:
    found = [
        document
        for document in documents
        if document["kind"] == kind
        and all(document["metadata"].get(key) == value for key, value in match.items())
    ]
    assert len(found) == 1, found
    return found[0]


def test_the_chart_lints_without_a_warning() -> None:
    result = helm("lint", "--strict", str(CHART), *KUBERNETES)
    assert result.returncode == 0, result.stdout
    assert "0 chart(s) failed" in result.stdout


def test_the_crds_are_those_of_the_repository_and_are_kept_on_uninstall() -> None:
    sources = [yaml.safe_load(path.read_text()) for path in (CHART / "files/crds").glob("*.yaml")]
    assert sources
    for source in sources:
        rendered = only(render(), "CustomResourceDefinition", name=source["metadata"]["name"])
        assert rendered["spec"] == source["spec"]
        assert rendered["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_crds_can_be_left_to_somebody_else() -> None:
    kinds = {document["kind"] for document in render("--set", "crds.install=false")}
    assert "CustomResourceDefinition" not in kinds


@pytest.mark.parametrize("kind", ["Deployment", "Pod"])
def test_every_pod_of_the_chart_is_hardened(kind: str) -> None:
    document = only(render(), kind)
    pod = document["spec"]["template"]["spec"] if kind == "Deployment" else document["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


def test_the_operator_has_probes() -> None:
    (container,) = only(render(), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_the_catalogue_is_what_the_operator_reads() -> None:
    text = only(render(), "ConfigMap")["data"]["catalogue.yaml"]
    assert parse_catalogue(text).names == ("appworld", "bfcl", "webshop")


def test_an_operator_of_chosen_namespaces_has_no_cluster_role() -> None:
    documents = render("--set", "watchNamespaces={team-a,team-b}")
    roles = {
        d["metadata"]["namespace"]
        for d in documents
        if d["kind"] == "Role" and "test" not in d["metadata"]["name"]
    }
    assert roles == {"team-a", "team-b"}
    assert "ClusterRole" not in {document["kind"] for document in documents}
    (container,) = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"--namespace=team-a", "--namespace=team-b"} <= set(container["args"])


def test_the_operator_may_do_only_what_it_uses() -> None:
    rules = only(render(), "ClusterRole")["rules"]
    allowed = {
        (group, resource): set(rule["verbs"])
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert not any("*" in verbs for verbs in allowed.values())
    assert all("secrets" not in resource for _, resource in allowed)
    patched = {resource for (_, resource), verbs in allowed.items() if "patch" in verbs}
    assert patched == {"pods", "traininginstances/status", "trainingpools/status"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"environments": {"appworld": {"image": "x", "slots": 0}}}, "slots"),
        ({"environments": {"appworld": {"image": "x", "slots": 257}}}, "slots"),
        ({"environments": {"appworld": {"image": ""}}}, "image"),
        ({"environments": {"Bad_Name": {"image": "x"}}}, "Bad_Name"),
        ({"logLevel": "loud"}, "logLevel"),
        ({"image": {"repository": "x", "pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_bad_values_are_refused_by_name(values: dict[str, Any], named: str, tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text(json.dumps(values))
    result = helm("template", str(CHART), "--values", str(file), *KUBERNETES)
    assert result.returncode != 0
    assert named in result.stderr
