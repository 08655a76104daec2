"""The chart's policy on who may make and claim pods, as a control plane's API server heeds it."""

import asyncio
from pathlib import Path
from typing import Any

import yaml

from benchmarks.control_plane import Api
from benchmarks.figures import BenchmarkError
from training_sandbox_operator.cluster.leader_mark import is_refused_by_mark, mark_creation
from training_sandbox_operator.model.names import (
    API_VERSION,
    LEADER_KIND,
    LEADER_PLURAL,
    MANAGED_BY,
    MANAGED_BY_LABEL,
)

_REPOSITORY = Path(__file__).resolve().parent.parent
_CLUSTER = _REPOSITORY / "tests/cluster"
_GROUP = "apis/admissionregistration.k8s.io/v1"
_PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}
_KIND = {"apiVersion": API_VERSION, "kind": LEADER_KIND}
_PATIENCE_SECONDS = 60


async def install_leader_policy(api: Api, namespace: str, *settings: str) -> str:
    """Install it for a release in this namespace, with settings for Helm.

    Returns:
        The lease that it goes by, as the operator's option wants it.
    """
    lease = ""
    for document in await _render(namespace, *settings):
        await api.call("POST", f"{_GROUP}/{_PLURALS[document['kind']]}", document)
        if "paramRef" in document["spec"]:
            of = document["spec"]["paramRef"]
            lease = f"{of['namespace']}/{of['name']}"
            leaders = f"apis/{API_VERSION}/namespaces/{of['namespace']}/{LEADER_PLURAL}"
            nobody = {"metadata": {"name": of["name"]}, "spec": {"identity": "nobody"}}
            await api.call("POST", leaders, {**nobody, **_KIND})
    await _until_heeded(api, namespace)
    return lease


async def _render(namespace: str, *settings: str) -> list[dict[str, Any]]:
    await _run(_CLUSTER / "tools", "helm")
    chart = str(_REPOSITORY / "charts/training-sandbox")
    template = ("helm", "template", "training-sandbox", chart, "--kube-version", "1.36.0")
    only_this = ("--show-only", "templates/leader-policy.yaml", "--namespace", namespace)
    printed = await _run(_CLUSTER / "run", "--no-cluster", *template, *only_this, *settings)
    return [document for document in yaml.safe_load_all(printed) if document]


async def _run(program: Path, *arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        str(program), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    printed, complaints = await process.communicate()
    if process.returncode:
        raise BenchmarkError(f"{program.name} {' '.join(arguments)}: {complaints.decode()}")
    return printed


async def _until_heeded(api: Api, namespace: str) -> None:
    probe = {
        "metadata": {"name": "probe", "labels": {MANAGED_BY_LABEL: MANAGED_BY}},
        "spec": {"containers": [{"name": "probe", "image": "probe"}]},
    }
    path = f"api/v1/namespaces/{namespace}/pods?dryRun=All"
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            try:
                await api.call("POST", path, mark_creation(probe, "somebody"))
            except BenchmarkError as error:
                if is_refused_by_mark(str(error)):
                    return
                raise
            await asyncio.sleep(0.05)
