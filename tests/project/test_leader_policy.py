"""The chart's policy on what a former leader sends late: which Lease it goes by, and where."""

from __future__ import annotations

import pytest

from tests.project.chart import only, render
from training_sandbox_operator.model.names import GROUP


def test_the_policy_on_late_writes_goes_by_the_lease_that_the_operators_hold() -> None:
    documents = render()
    (container,) = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    binding = only(documents, "ValidatingAdmissionPolicyBinding")["spec"]
    lease = binding["paramRef"]
    assert f"--lease={lease['namespace']}/{lease['name']}" in container["args"]
    policy = only(documents, "ValidatingAdmissionPolicy")["metadata"]["name"]
    assert binding["policyName"] == policy == "release-training-sandbox.system.leader." + GROUP


def test_the_policy_on_late_writes_is_for_the_namespaces_that_are_watched() -> None:
    binding = only(render("--set", "watchNamespaces={a,b}"), "ValidatingAdmissionPolicyBinding")
    (expression,) = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
    assert (expression["key"], expression["values"]) == ("kubernetes.io/metadata.name", ["a", "b"])
    everywhere = only(render(), "ValidatingAdmissionPolicyBinding")
    assert "matchResources" not in everywhere["spec"]


@pytest.mark.parametrize(
    "options", [("--set", "leaderPolicy.enabled=false"), ("--kube-version", "1.29.0")]
)
def test_where_there_may_be_no_policy_on_late_writes_there_is_none(
    options: tuple[str, ...],
) -> None:
    assert not {one["kind"] for one in render(*options)} & {
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
