"""Pods that have lost the label that they are watched by: as good as gone, but in the way."""

from tests.operator.conftest import Clock, Loop
from tests.operator.fake_cluster import FakeCluster
from tests.operator.instance_steps import POD, reason, relabel, schedule
from tests.operator.pool_steps import FROM_POOL, fill, get_ready, names, pool_status, status_of
from training_sandbox_operator.model.names import MANAGED_BY


def lose_label(loop: Loop, cluster: FakeCluster, name: str) -> None:
    """Take the label off; the watch tells that the pod is deleted."""
    loop.controller.observe_pod("DELETED", relabel(cluster, "pods", name, None))


async def test_a_warm_pod_that_has_lost_its_label_is_replaced_under_another_name(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=2)
    before = names(cluster.of_kind("pods"))
    lose_label(loop, cluster, before[0])
    for _ in range(3):
        clock.advance(2)
        await loop.work()
        get_ready(cluster)
        await loop.controller.synchronise()
    assert names(cluster.of_kind("pods"))[:2] == before
    assert len(cluster.of_kind("pods")) == 3
    assert pool_status(cluster)["readyReplicas"] == 2


async def test_a_warm_pod_that_has_its_label_again_is_known_again(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=2)
    name = names(cluster.of_kind("pods"))[0]
    lose_label(loop, cluster, name)
    loop.controller.observe_pod("ADDED", relabel(cluster, "pods", name, MANAGED_BY))
    cluster.writes.clear()
    clock.advance(2)
    await loop.work()
    assert cluster.writes == []


async def test_a_warm_pod_that_loses_its_label_before_it_is_claimed_is_not(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=2)
    cluster.instance(**FROM_POOL)
    await loop.controller.synchronise()
    lost = names(cluster.of_kind("pods"))[0]
    relabel(cluster, "pods", lost, None)
    await loop.work()
    status = status_of(cluster, "demo")
    assert status["phase"] == "Ready"
    assert status["podName"] != lost


async def test_an_instance_whose_pod_loses_its_label_before_it_was_told_of_it_says_so(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance()
    cluster.fail("PATCH", "/status", 500)
    await schedule(loop, cluster)
    lose_label(loop, cluster, POD)
    clock.advance(1)
    await loop.work()
    assert reason(cluster) == "PodNameConflict"
    loop.controller.observe_pod("ADDED", relabel(cluster, "pods", POD, MANAGED_BY))
    await loop.work()
    assert reason(cluster) == "CreatingContainer"


async def test_a_pod_that_is_gone_is_not_brought_back_by_the_answer_to_its_deletion(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    (pod,) = cluster.of_kind("pods")
    loop.controller.observe_pod("DELETED", pod)
    loop.controller.observe_pod("MODIFIED", pod)
    assert loop.controller.vital_signs()["pods"] == 0
