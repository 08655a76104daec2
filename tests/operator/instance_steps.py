"""What specifications of an instance do, and what they look at."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from tests.operator import builders as build
from tests.operator.conftest import Loop, SandboxServer
from tests.operator.fake_cluster import FakeCluster, Object
from training_sandbox_operator.model.names import MANAGED_BY_LABEL

POD = "demo-00000001"


def become(status: dict[str, Any]) -> Callable[[Object], None]:
    return lambda pod: pod.update(status=status, spec={**pod["spec"], "nodeName": "worker-1"})


async def schedule(loop: Loop, cluster: FakeCluster) -> Object:
    """Have the instance's pod made, and given a node; return the pod."""
    await loop.settle()
    pod = cluster.change("pods", POD, lambda one: one["spec"].update(nodeName="worker-1"))
    await loop.settle()
    return pod


async def serve(loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, **spec: Any) -> Object:
    """Bring an instance to Ready; return its pod."""
    cluster.instance(**spec)
    await schedule(loop, cluster)
    pod = cluster.change("pods", POD, become(build.serving()))
    sandbox.incarnation = f"{pod['metadata']['uid']}-0"
    await loop.settle()
    assert phase(cluster) == "Ready"
    return pod


def phase(cluster: FakeCluster) -> str:
    return cluster.only("traininginstances")["status"]["phase"]


def reason(cluster: FakeCluster) -> str:
    return cluster.only("traininginstances")["status"]["conditions"][0]["reason"]


def relabel(cluster: FakeCluster, kind: str, name: str, value: str | None) -> Object:
    """Change the label that the operator watches by, or take it off; return the object."""

    def change(one: Object) -> None:
        labels = {**one["metadata"]["labels"], MANAGED_BY_LABEL: value}
        one["metadata"]["labels"] = {k: v for k, v in labels.items() if v is not None}

    return deepcopy(cluster.change(kind, name, change))
