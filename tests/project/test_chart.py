"""The chart, rendered and linted by the real Helm, with no cluster."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.project.chart import CHART, KUBERNETES, helm, notes, only, render
from training_sandbox_operator.metrics import Metrics
from training_sandbox_operator.model.catalogue import Allowances, CatalogueError, parse_catalogue


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
    bound = {d["roleRef"]["kind"] for d in documents if d["kind"].endswith("RoleBinding")}
    assert bound == {"Role"}
    assert "ClusterRoleBinding" not in {document["kind"] for document in documents}
    (container,) = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"--namespace=team-a", "--namespace=team-b"} <= set(container["args"])


@pytest.mark.parametrize(
    ("values", "namespace"),
    [
        ((), "system"),
        (("--set", "watchNamespaces=null"), "system"),
        (("--set", "watchNamespaces={team-a,b}"), "team-a"),
    ],
)
def test_helm_test_plays_where_the_operator_works(values: tuple[str, ...], namespace: str) -> None:
    documents = render(*values)
    pod = only(documents, "Pod")
    command = pod["spec"]["containers"][0]["command"]
    assert command[command.index("--namespace") + 1] == namespace
    only(documents, "Role", name="release-training-sandbox-test", namespace=namespace)
    binding = only(
        documents, "RoleBinding", name="release-training-sandbox-test", namespace=namespace
    )
    account = only(documents, "ServiceAccount", name=pod["spec"]["serviceAccountName"])
    assert binding["subjects"] == [
        {
            "kind": "ServiceAccount",
            **{key: account["metadata"][key] for key in ("name", "namespace")},
        }
    ]


def test_the_notes_start_an_instance_where_the_operator_works(tmp_path: Path) -> None:
    told = notes(tmp_path, "--set", "watchNamespaces={team-a,b}")
    assert "kubectl apply -f - --namespace team-a <<EOF" in told
    assert "--timeout=3m --namespace team-a && kubectl get ti --namespace team-a\n" in told


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


def verbs_of(role: dict[str, Any]) -> dict[str, set[str]]:
    """The verbs by resource."""
    return {
        resource: set(rule["verbs"]) for rule in role["rules"] for resource in rule["resources"]
    }


@pytest.mark.parametrize("values", [(), ("--set", "watchNamespaces={team-a}")])
def test_the_operator_may_do_only_what_it_uses(values: tuple[str, ...]) -> None:
    """What it calls is in cluster/kubernetes_api.py; pools are watched by kopf."""
    kind, name = ("Role" if values else "ClusterRole"), "release-training-sandbox"
    assert verbs_of(only(render(*values), kind, name=name)) == {
        "traininginstances": {"list", "watch", "delete"},
        "traininginstances/status": {"patch"},
        "trainingpools": {"list", "watch"},
        "trainingpools/status": {"patch"},
        "pods": {"create", "get", "list", "watch", "patch", "delete"},
        "events": {"create"},
        "secrets": {"create", "get", "list", "watch", "delete"},
    }


def test_people_get_the_objects_of_this_api_and_nothing_else() -> None:
    user = only(render(), "ClusterRole", name="release-training-sandbox-user")
    assert user["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    assert {group for rule in user["rules"] for group in rule["apiGroups"]} == {
        "trainingsandbox.dev"
    }
    assert set(verbs_of(user)) == {"traininginstances", "trainingpools", "trainingpools/scale"}
    viewer = only(render(), "ClusterRole", name="release-training-sandbox-viewer")
    assert viewer["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert set().union(*verbs_of(viewer).values()) == {"get", "list", "watch"}


def test_roles_for_people_can_be_left_out() -> None:
    documents = render("--set", "rbac.userRoles=false,watchNamespaces={team-a}")
    assert "ClusterRole" not in {document["kind"] for document in documents}


def test_instances_are_kept_through_a_drain_where_they_are_said_to_be() -> None:
    documents = render("--set", "instanceNamespaces={team-a,team-b}")
    budgets = {
        one["metadata"]["namespace"]: one["spec"]
        for one in documents
        if one["kind"] == "PodDisruptionBudget" and one["metadata"]["name"].endswith("-instances")
    }
    assert set(budgets) == {"team-a", "team-b"}
    spec = budgets["team-a"]
    assert spec["selector"]["matchExpressions"] == [
        {"key": "trainingsandbox.dev/instance", "operator": "Exists"}
    ]
    # More than any namespace has, so that none may go; but those that serve nobody may.
    assert spec["minAvailable"] > 100_000
    assert spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_a_drain_need_not_wait_for_instances() -> None:
    documents = render("--set", "podDisruptionBudget.enabled=false")
    only(documents, "PodDisruptionBudget", name="release-training-sandbox")


def test_by_default_nothing_may_be_overridden_that_concerns_others() -> None:
    text = only(render(), "ConfigMap")["data"]["catalogue.yaml"]
    assert parse_catalogue(text).allowed == Allowances()


def test_the_operators_image_may_be_a_digest() -> None:
    digest = "sha256:" + "0" * 64
    (container,) = only(render("--set", f"image.digest={digest}"), "Deployment")["spec"][
        "template"
    ]["spec"]["containers"]
    assert container["image"] == f"training-sandbox/operator@{digest}"


def test_of_two_operators_the_one_that_holds_the_lease_works() -> None:
    documents = render()
    spec = only(documents, "Deployment")["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert spec["replicas"] == 2
    assert "--lease=system/release-training-sandbox" in container["args"]
    assert spec["template"]["spec"]["affinity"]["podAntiAffinity"]
    budget = only(documents, "PodDisruptionBudget", name="release-training-sandbox")
    assert budget["spec"]["maxUnavailable"] == 1


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
    new = (
        "replicas",
        "workers",
        "logFormat",
        "metrics",
        "allowed",
        "networkPolicy",
        "podDisruptionBudget",
        "leaderPolicy",
    )
    documents = render("--set", ",".join(f"{name}=null" for name in new))
    assert only(documents, "Deployment")["spec"]["replicas"] == 2
    assert only(documents, "PodDisruptionBudget")


def test_one_operator_has_no_budget_that_would_block_a_drain() -> None:
    documents = render("--set", "replicas=1")
    assert only(documents, "Deployment")["spec"]["replicas"] == 1
    only(documents, "PodDisruptionBudget", name="release-training-sandbox-instances")


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
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] == service["spec"]["ports"][0]["name"]


def test_prometheus_keeps_the_namespace_that_a_metric_tells() -> None:
    monitor = only(render("--set", "metrics.serviceMonitor.enabled=true"), "ServiceMonitor")
    assert [endpoint["honorLabels"] for endpoint in monitor["spec"]["endpoints"]] == [True]


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


def test_the_workers_are_a_value() -> None:
    (container,) = only(render("--set", "workers=8"), "Deployment")["spec"]["template"]["spec"][
        "containers"
    ]
    assert "--workers=8" in container["args"]


def templated(values: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "values.json"
    file.write_text(json.dumps(values))
    return helm("template", "release", str(CHART), "--values", str(file), *KUBERNETES)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"environments": {"Bad_Name": {"image": "x"}}}, "Bad_Name"),
        ({"logLevel": "loud"}, "logLevel"),
        ({"image": {"repository": "x", "pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"logFormat": "xml"}, "logFormat"),
        ({"workers": 0}, "workers"),
        ({"replicas": -1}, "replicas"),
        ({"metrics": {"serviceMonitor": {"interval": "often"}}}, "interval"),
        ({"allowed": {"image": ["x"]}}, "image"),
        ({"allowed": {"images": ["a b"]}}, "images"),
        ({"instanceNamespaces": ["Team A"]}, "instanceNamespaces"),
        ({"networkPolicy": {"clients": [{}]}}, "clients"),
        ({"image": {"repository": "x", "digest": "latest"}}, "digest"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_bad_values_are_refused_by_name(values: dict[str, Any], named: str, tmp_path: Path) -> None:
    result = templated(values, tmp_path)
    assert result.returncode != 0
    assert named in result.stderr


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"image": ""}, "image"),
        ({"image": "a b"}, "image"),
        ({"slots": 0}, "slots"),
        ({"slots": 257}, "slots"),
        ({"startupSeconds": 0}, "startupSeconds"),
        ({"startupSeconds": 86401}, "startupSeconds"),
        ({"tmpSize": "1.2.3Gi"}, "tmpSize"),
        ({"tmpSize": "0" * 65}, "tmpSize"),
        ({"resources": {"limits": {"cpu": -1}}}, "cpu"),
        ({"resources": {"limit": {}}}, "limit"),
        ({"env": [{"name": "A-B", "value": "x"}]}, "name"),
        ({"env": [{"name": "A", "valeu": "x"}]}, "valeu"),
        ({"env": [{"name": "A", "value": True}]}, "value"),
        ({"env": [{"name": "A", "valueFrom": "x"}]}, "valueFrom"),
        ({"imagePullSecrets": [{"name": "x" * 254}]}, "name"),
    ],
)
def test_an_entry_that_the_operator_could_not_read_is_refused_by_helm(
    entry: dict[str, Any], named: str, tmp_path: Path
) -> None:
    environments = {"appworld": {"image": "x", **entry}}
    with pytest.raises(CatalogueError):
        parse_catalogue(json.dumps({"environments": environments}))
    result = templated({"environments": environments}, tmp_path)
    assert result.returncode != 0
    assert named in result.stderr


@pytest.mark.parametrize(
    "entry",
    [
        {"image": "registry.example:5000/a/b@sha256:" + "0" * 64},
        {"startupSeconds": 86400},
        {"tmpSize": "1.5Gi", "resources": {"limits": {"cpu": 0.5, "memory": "1e9"}}},
        {"env": [{"name": "_A1", "value": 16}, {"name": "B", "value": None}]},
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
    ],
)
def test_an_entry_that_helm_accepts_is_read_by_the_operator(
    entry: dict[str, Any], tmp_path: Path
) -> None:
    result = templated({"environments": {"mine": {"image": "x", **entry}}}, tmp_path)
    assert result.returncode == 0, result.stderr
    documents = [one for one in yaml.safe_load_all(result.stdout) if one]
    text = only(documents, "ConfigMap")["data"]["catalogue.yaml"]
    assert "mine" in parse_catalogue(text).names
