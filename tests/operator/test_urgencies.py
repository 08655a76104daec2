"""How urgent each write of the operator is: what somebody waits for goes first."""

from collections.abc import Callable

import pytest

from tests.operator.conftest import Clock, Loop, SandboxServer
from tests.operator.fake_cluster import FakeCluster
from tests.operator.instance_steps import POD, become, schedule, serve
from tests.operator.pool_steps import FROM_POOL, fill, status_of
from training_sandbox_operator.cluster.admission import Urgency
from training_sandbox_operator.cluster.api_server import _Call
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.model.names import Key


class Writes:
    """The urgency of every write that the operator makes, in order."""

    def __init__(self, api: KubernetesApi) -> None:
        self._made: list[tuple[str, str, Urgency]] = []
        self._send = api._write
        api._write = self._record

    async def _record(
        self, urgency: Urgency, wanted_for: Callable[[], float], call: _Call
    ) -> tuple[int, str, str | None]:
        self._made.append((call.method, call.path, urgency))
        return await self._send(urgency, wanted_for, call)

    def of(self, method: str, resource: str) -> list[Urgency]:
        return [
            urgency
            for made, path, urgency in self._made
            if made == method and resource_of(path) == resource
        ]


def resource_of(path: str) -> str:
    """Return the resource that a path names, with its subresource."""
    kind, *rest = path.partition("/namespaces/")[2].split("/")[1:]
    return "/".join([kind, *rest[1:]])


@pytest.fixture
def writes(api: KubernetesApi) -> Writes:
    return Writes(api)


async def test_a_pod_that_an_instance_waits_for_is_to_start(
    loop: Loop, cluster: FakeCluster, writes: Writes
) -> None:
    cluster.instance()
    await loop.settle()
    assert writes.of("POST", "pods") == [Urgency.START]


async def test_warm_pods_and_the_status_of_their_pool_are_warm_ups(
    loop: Loop, cluster: FakeCluster, clock: Clock, writes: Writes
) -> None:
    await fill(loop, cluster, clock, replicas=2)
    assert writes.of("POST", "pods") == [Urgency.WARM_UP] * 2
    assert writes.of("PATCH", "trainingpools/status") == [Urgency.WARM_UP] * 2


async def test_a_claim_and_the_status_of_its_instance_go_first(
    loop: Loop, cluster: FakeCluster, clock: Clock, writes: Writes
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    cluster.instance(**FROM_POOL)
    await loop.settle()
    assert status_of(cluster, "demo")["phase"] == "Ready"
    assert writes.of("PATCH", "pods") == [Urgency.FIRST]
    assert writes.of("PATCH", "traininginstances/status") == [Urgency.FIRST]


async def test_tokens_go_first(
    cluster: FakeCluster,
    sandbox: SandboxServer,
    start_operator: Callable[..., Loop],
    writes: Writes,
) -> None:
    loop = start_operator(Key("system", "signing-key"))
    await serve(loop, cluster, sandbox)
    # The signing key, and the token.
    assert writes.of("POST", "secrets") == [Urgency.FIRST] * 2


async def test_deletions_of_instances_and_of_their_pods_go_first(
    loop: Loop, cluster: FakeCluster, clock: Clock, writes: Writes
) -> None:
    cluster.instance(ttlSeconds=60)
    await schedule(loop, cluster)
    cluster.change("pods", POD, become({"phase": "Failed", "reason": "Evicted"}))
    await loop.settle()
    assert writes.of("DELETE", "pods") == [Urgency.FIRST]
    clock.advance(60)
    await loop.work()
    assert writes.of("DELETE", "traininginstances") == [Urgency.FIRST]


async def test_deletions_of_warm_pods_go_first(
    loop: Loop, cluster: FakeCluster, clock: Clock, writes: Writes
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    cluster.change("trainingpools", "warm", lambda pool: pool["spec"].update(replicas=0))
    await loop.settle()
    assert writes.of("DELETE", "pods") == [Urgency.FIRST]


async def test_events_are_news(loop: Loop, cluster: FakeCluster, writes: Writes) -> None:
    cluster.instance()
    await schedule(loop, cluster)
    assert writes.of("POST", "events") == [Urgency.NEWS]
