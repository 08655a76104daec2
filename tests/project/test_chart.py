"""The chart, rendered and linted by the real Helm, with no cluster."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from training_sandbox_operator.metrics import Metrics
from training_sandbox_operator.model.catalogue import parse_catalogue

CHART = Path(__file__).resolve().parents[2] / "charts" / "training-sandbox"


# A helm that was built from source does not know which Kubernetes it is for.
KUBERNETES = ("--kube-version", "1.36.0")


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that comes twice: two documents that lost the line between them."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key comes twice: {keys}"
        return super().construct_mapping(node, deep)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)


def render(*arguments: str) -> list[dict[str, Any]]:
    result = helm(
        "template", "release", str(CHART), "--namespace", "system", *KUBERNETES, *arguments
    )
    assert result.returncode == 0, result.stderr
    return [document for document in yaml.load_all(result.stdout, StrictLoader) if document]


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
    assert container["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_the_catalogue_is_what_the_operator_reads() -> None:
    text = only(render(), "ConfigMap")["data"]["catalogue.yaml"]
    assert parse_catalogue(text).names == ("appworld", "bfcl", "webshop")


def test_an_operator_of_chosen_namespaces_has_no_cluster_role() -> None:
    documents = render("--set", "watchNamespaces={team-a,team-b}")
    roles = {
        d["metadata"]["namespace"]
        for d in documents
        if d["kind"] == "Role" and d["metadata"]["name"] == "release-training-sandbox"
    }
    assert roles == {"team-a", "team-b"}
    assert "ClusterRole" not in {document["kind"] for document in documents}
    (container,) = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"--namespace=team-a", "--namespace=team-b"} <= set(container["args"])


def test_the_operator_reads_its_signing_key_and_is_told_where_it_is() -> None:
    role = only(render(), "Role", name="release-training-sandbox-lease")
    (rule,) = [r for r in role["rules"] if r["resources"] == ["secrets"] and "get" in r["verbs"]]
    assert rule["resourceNames"] == ["release-training-sandbox-signing-key"]
    (container,) = only(render(), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert "--signing-key=system/release-training-sandbox-signing-key" in container["args"]


def test_without_tokens_the_operator_has_nothing_to_do_with_secrets() -> None:
    documents = render("--set", "auth.enabled=false")
    rules = [rule for one in documents for rule in one.get("rules", ())]
    assert not any("secrets" in rule["resources"] for rule in rules)
    (container,) = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert not any("signing-key" in argument for argument in container["args"])


def test_an_upgrade_that_reuses_values_of_before_tokens_has_tokens() -> None:
    (container,) = only(render("--set", "auth=null"), "Deployment")["spec"]["template"]["spec"][
        "containers"
    ]
    assert any("signing-key" in argument for argument in container["args"])


def test_the_operator_may_do_only_what_it_uses() -> None:
    rules = only(render(), "ClusterRole")["rules"]
    allowed = {
        (group, resource): set(rule["verbs"])
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert not any("*" in verbs for verbs in allowed.values())
    # No watch and no patch: who may not do these cannot rewrite what others keep in theirs.
    assert allowed["", "secrets"] == {"create", "get", "list", "watch", "delete"}
    patched = {resource for (_, resource), verbs in allowed.items() if "patch" in verbs}
    assert patched == {"pods", "traininginstances/status", "trainingpools/status"}


def test_of_two_operators_the_one_that_holds_the_lease_works() -> None:
    documents = render()
    spec = only(documents, "Deployment")["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert spec["replicas"] == 2
    assert "--lease=system/release-training-sandbox" in container["args"]
    assert spec["template"]["spec"]["affinity"]["podAntiAffinity"]
    assert only(documents, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_the_lease_may_be_written_in_the_namespace_of_the_release_only() -> None:
    documents = render("--set", "watchNamespaces={team-a}")
    rules = [
        (document["metadata"]["namespace"], rule.get("resourceNames"), rule["verbs"])
        for document in documents
        if document["kind"] in {"Role", "ClusterRole"}
        for rule in document["rules"]
        if "leases" in rule["resources"]
    ]
    assert rules == [
        ("system", None, ["create"]),
        ("system", ["release-training-sandbox"], ["get", "update"]),
    ]


def test_values_that_an_older_release_did_not_have_may_be_missing() -> None:
    documents = render("--set", "replicas=null,logFormat=null,metrics=null")
    assert only(documents, "Deployment")["spec"]["replicas"] == 2
    assert only(documents, "PodDisruptionBudget")


def test_one_operator_has_no_budget_that_would_block_a_drain() -> None:
    documents = render("--set", "replicas=1")
    assert only(documents, "Deployment")["spec"]["replicas"] == 1
    assert "PodDisruptionBudget" not in {document["kind"] for document in documents}


def test_an_affinity_of_ones_own_replaces_the_charts() -> None:
    pod = only(render("--set", "affinity.nodeAffinity.x=y"), "Deployment")["spec"]["template"]
    assert pod["spec"]["affinity"] == {"nodeAffinity": {"x": "y"}}


def test_metrics_have_a_service_and_the_rest_on_demand() -> None:
    service = only(render(), "Service")
    labels = only(render(), "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert "ServiceMonitor" not in {document["kind"] for document in render()}
    wanted = render(
        "--set", "metrics.serviceMonitor.enabled=true", "--set", "metrics.dashboard.enabled=true"
    )
    monitor = only(wanted, "ServiceMonitor")
    selected = monitor["spec"]["selector"]["matchLabels"]
    assert selected.items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]


def test_the_dashboard_shows_only_metrics_that_the_operator_has() -> None:
    documents = render("--set", "metrics.dashboard.enabled=true")
    config = only(documents, "ConfigMap", name="release-training-sandbox-dashboard")
    panels = json.loads(config["data"]["training-sandbox.json"])["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"training_sandbox_operator_\w+", target["expr"])
    }
    described = Metrics("1").text().decode()
    known = set(re.findall(r"^# TYPE (\w+)", described, re.MULTILINE))
    assert {re.sub(r"_bucket$", "", name) for name in asked} <= known


def test_the_log_can_be_json() -> None:
    documents = render("--set", "logFormat=json")
    (container,) = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert "--log-format=json" in container["args"]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"environments": {"appworld": {"image": "x", "slots": 0}}}, "slots"),
        ({"environments": {"appworld": {"image": "x", "slots": 257}}}, "slots"),
        ({"environments": {"appworld": {"image": ""}}}, "image"),
        ({"environments": {"Bad_Name": {"image": "x"}}}, "Bad_Name"),
        ({"logLevel": "loud"}, "logLevel"),
        ({"image": {"repository": "x", "pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"logFormat": "xml"}, "logFormat"),
        ({"replicas": -1}, "replicas"),
        ({"metrics": {"serviceMonitor": {"interval": "often"}}}, "interval"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_bad_values_are_refused_by_name(values: dict[str, Any], named: str, tmp_path: Path) -> None:
    file = tmp_path / "values.json"
    file.write_text(json.dumps(values))
    result = helm("template", str(CHART), "--values", str(file), *KUBERNETES)
    assert result.returncode != 0
    assert named in result.stderr
