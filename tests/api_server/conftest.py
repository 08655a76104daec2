"""A real API server without machines, with the chart of this repository in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import aiohttp
import httpx
import pytest
import yaml

from benchmarks.control_plane import Api, ControlPlane, control_plane
from tests.project.chart import render

CONFINED = ("--set", "watchNamespaces={inside}")
"""The settings of the chart that is installed; the release is called release, in system."""

Object = dict[str, Any]


class Cluster:
    """The API server, as its administrator or as somebody else sees it."""

    def __init__(self, plane: ControlPlane, user: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {plane.token}"}
        if user is not None:
            headers["Impersonate-User"] = user
        self.plane = plane
        self.http = httpx.Client(base_url=plane.url, headers=headers, verify=False, timeout=30)

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        content = None if body is None else json.dumps(body)
        return self.http.request(method, path, content=content, headers={"Content-Type": kind})

    def get(self, path: str) -> Object:
        answer = self.ask("GET", path)
        assert answer.is_success, answer.text
        return answer.json()

    def create(self, path: str, body: Mapping[str, Any]) -> Object:
        answer = self.ask("POST", path, body)
        assert answer.is_success, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """The control plane, with the CRDs and one fake node."""
    with asyncio.Runner() as runner:
        running = control_plane()
        plane = runner.run(running.__aenter__())
        try:
            runner.run(_prepare(plane))
            yield plane
        finally:
            runner.run(running.__aexit__(None, None, None))


async def _prepare(plane: ControlPlane) -> None:
    async with aiohttp.ClientSession() as http:
        api = Api(plane, http)
        await api.install_crds()
        await api.add_nodes(1)


_ADMISSION = "apis/admissionregistration.k8s.io/v1"
PATHS = {
    "ServiceAccount": "api/v1/namespaces/{namespace}/serviceaccounts",
    "ClusterRole": "apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "Role": "apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
    "NetworkPolicy": "apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies",
    "PodDisruptionBudget": "apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
    "ValidatingAdmissionPolicy": f"{_ADMISSION}/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": f"{_ADMISSION}/validatingadmissionpolicybindings",
}


def labelled(name: str, **labels: str) -> Object:
    return {"metadata": {"name": name, "labels": labels}}


@pytest.fixture(scope="session")
def administrator(plane: ControlPlane) -> Cluster:
    """The cluster once the chart is installed, but for what needs machines."""
    cluster = Cluster(plane)
    for name in ("system", "inside", "outside"):
        cluster.create("api/v1/namespaces", labelled(name))
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.create("api/v1/namespaces", labelled("restricted", **enforced))
    for document in render(*CONFINED):
        metadata = document["metadata"]
        is_hook = "helm.sh/hook" in (metadata.get("annotations") or {})
        if document["kind"] in PATHS and not is_hook:
            path = PATHS[document["kind"]].format(namespace=metadata.get("namespace"))
            cluster.create(path, document)
    return cluster


@pytest.fixture(scope="session")
def user(administrator: Cluster) -> Cluster:
    """Somebody who has the chart's role for users in one namespace, and no other rights."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    administrator.create(
        PATHS["RoleBinding"].format(namespace="inside"),
        {
            "metadata": {"name": "alice"},
            "roleRef": {**role, "name": "release-training-sandbox-user"},
            "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}
            ],
        },
    )
    return Cluster(administrator.plane, "alice")


@pytest.fixture
def kubeconfig_of(administrator: Cluster) -> Callable[[str, str], str]:
    """Write a kubeconfig with a token of a ServiceAccount, and return its path."""

    def write(namespace: str, name: str) -> str:
        path = f"{PATHS['ServiceAccount'].format(namespace=namespace)}/{name}/token"
        token = administrator.create(path, {"spec": {"audiences": []}})["status"]["token"]
        document = yaml.safe_load(administrator.plane.kubeconfig.read_text())
        document["users"][0]["user"] = {"token": token}
        file = administrator.plane.folder / f"{namespace}-{name}.yaml"
        file.write_text(yaml.safe_dump(document))
        return str(file)

    return write
