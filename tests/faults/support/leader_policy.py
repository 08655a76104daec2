"""The chart's policy on who may make and claim pods, in force in one namespace."""

from __future__ import annotations

import asyncio

from tests.faults.support.cluster import Cluster, RefusedError, until
from tests.faults.support.seen import Object
from tests.project.chart import render
from training_sandbox_operator.cluster.leader_mark import mark_creation
from training_sandbox_operator.model.names import MANAGED_BY, MANAGED_BY_LABEL

_GROUP = "apis/admissionregistration.k8s.io/v1"
_PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


async def install_leader_policy(cluster: Cluster, namespace: str) -> str:
    """Have the API server heed the policy; returns the lease that it goes by, as an option."""
    options = ("--namespace", namespace, "--set", f"watchNamespaces={{{namespace}}}")
    only_this = ("--show-only", "templates/leader-policy.yaml")
    lease = ""
    for document in await asyncio.to_thread(render, *options, *only_this):
        await cluster.call("POST", f"{_GROUP}/{_PLURALS[document['kind']]}", document)
        if "paramRef" in document["spec"]:
            of = document["spec"]["paramRef"]
            lease = f"{of['namespace']}/{of['name']}"
    await _until_heeded(cluster, *lease.split("/"))
    return lease


async def _until_heeded(cluster: Cluster, namespace: str, name: str) -> None:
    leases = f"apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    await cluster.call("POST", leases, {"metadata": {"name": name}})

    async def is_not() -> str | None:
        pods = f"api/v1/namespaces/{namespace}/pods?dryRun=All"
        try:
            await cluster.call("POST", pods, mark_creation(_pod(), "nobody"))
        except RefusedError as error:
            return None if error.status == 403 else str(error)
        return "anybody may make a pod"

    await until("the API server heeds the policy", is_not)


def _pod() -> Object:
    return {
        "metadata": {"name": "probe", "labels": {MANAGED_BY_LABEL: MANAGED_BY}},
        "spec": {"containers": [{"name": "probe", "image": "probe"}]},
    }
