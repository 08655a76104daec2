"""What specifications of pools do, and what they look at."""

from typing import Any

from tests.operator import builders as build
from tests.operator.conftest import Clock, Loop
from tests.operator.fake_cluster import FakeCluster, Object
from tests.operator.instance_steps import become

FROM_POOL = {"poolRef": {"name": "warm", "whenEmpty": "Wait"}}


def names(objects: list[Object]) -> list[str]:
    return sorted(one["metadata"]["name"] for one in objects)


def owner(pod: Object) -> str:
    (reference,) = pod["metadata"]["ownerReferences"]
    return f"{reference['kind']}/{reference['name']}"


def owners(cluster: FakeCluster) -> list[str]:
    return sorted(owner(pod) for pod in cluster.of_kind("pods"))


def get_ready(cluster: FakeCluster) -> None:
    """Have all pods that are not ready serve."""
    for pod in cluster.of_kind("pods"):
        if pod["status"]["phase"] == "Pending":
            cluster.change("pods", pod["metadata"]["name"], become(build.serving()))


def status_of(cluster: FakeCluster, name: str) -> dict[str, Any]:
    return cluster.objects["traininginstances", "research", name].get("status", {})


def reason_of(cluster: FakeCluster, name: str) -> str:
    return status_of(cluster, name)["conditions"][0]["reason"]


def pool_status(cluster: FakeCluster) -> dict[str, Any]:
    return cluster.only("trainingpools")["status"]


async def fill(loop: Loop, cluster: FakeCluster, clock: Clock, **spec: Any) -> None:
    cluster.pool(**spec)
    await loop.settle()
    get_ready(cluster)
    clock.advance(2)
    await loop.settle()
