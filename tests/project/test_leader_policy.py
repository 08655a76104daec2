"""The chart's policy on what a former leader sends late: what it goes by, and where it is."""

from __future__ import annotations

import pytest

from tests.project.chart import only, render
from training_sandbox_operator.model.names import GROUP

HAS_KIND = ("--api-versions", f"{GROUP}/v1alpha1/OperatorLeader")


def test_the_policy_on_late_writes_goes_by_the_leader_that_the_operators_write() -> None:
    """Its OperatorLeader is called as their lease is."""
    documents = render()
    (container,) = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    binding = only(documents, "ValidatingAdmissionPolicyBinding")["spec"]
    leader = binding["paramRef"]
    assert f"--lease={leader['namespace']}/{leader['name']}" in container["args"]
    policy = only(documents, "ValidatingAdmissionPolicy")
    name = policy["metadata"]["name"]
    assert binding["policyName"] == name == "release-training-sandbox.system.leader." + GROUP
    assert policy["spec"]["paramKind"]["kind"] == "OperatorLeader"


def test_the_policy_on_late_writes_lets_pods_through_where_it_cannot_be_heeded() -> None:
    documents = render()
    assert only(documents, "ValidatingAdmissionPolicy")["spec"]["failurePolicy"] == "Ignore"
    binding = only(documents, "ValidatingAdmissionPolicyBinding")["spec"]
    assert binding["paramRef"]["parameterNotFoundAction"] == "Allow"


def test_there_is_a_policy_on_late_writes_where_its_kind_is_somebody_elses() -> None:
    assert only(render("--set", "crds.install=false", *HAS_KIND), "ValidatingAdmissionPolicy")


def test_the_policy_on_late_writes_is_for_the_namespaces_that_are_watched() -> None:
    binding = only(render("--set", "watchNamespaces={a,b}"), "ValidatingAdmissionPolicyBinding")
    (expression,) = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
    assert (expression["key"], expression["values"]) == ("kubernetes.io/metadata.name", ["a", "b"])
    everywhere = only(render(), "ValidatingAdmissionPolicyBinding")
    assert "matchResources" not in everywhere["spec"]


@pytest.mark.parametrize(
    "options",
    [
        ("--set", "leaderPolicy.enabled=false"),
        ("--set", "crds.install=false"),
        ("--kube-version", "1.29.0"),
    ],
)
def test_where_there_may_be_no_policy_on_late_writes_there_is_none(
    options: tuple[str, ...],
) -> None:
    assert not {one["kind"] for one in render(*options)} & {
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
