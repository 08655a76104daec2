"""Pools in the whole loop: what is made, scaled, rolled and replaced."""

from collections.abc import Callable

import pytest

from tests.operator import builders as build
from tests.operator.conftest import Clock, Loop
from tests.operator.fake_cluster import FakeCluster, Object
from tests.operator.pool_steps import (
    FROM_POOL,
    fill,
    get_ready,
    names,
    owner,
    owners,
    pool_status,
    reason_of,
    status_of,
)
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.timestamps import format_timestamp


def current(cluster: FakeCluster) -> tuple[str, str]:
    """Status and reason of the condition that tells whether any pod is to be replaced."""
    (condition,) = [one for one in pool_status(cluster)["conditions"] if one["type"] == "Current"]
    return condition["status"], condition["reason"]


async def test_a_pool_makes_its_pods_and_tells_when_it_is_full(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.pool(replicas=3)
    await loop.settle()
    assert owners(cluster) == ["TrainingPool/warm"] * 3
    assert pool_status(cluster)["conditions"][0]["reason"] == "Filling"
    get_ready(cluster)
    clock.advance(2)
    await loop.settle()
    status = pool_status(cluster)
    assert (status["replicas"], status["readyReplicas"], status["targetReplicas"]) == (3, 3, 3)
    assert status["conditions"][0]["status"] == "True"


async def test_a_pause_that_the_api_server_asks_for_is_not_cut_short(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.pool(replicas=1)
    cluster.fail("POST", "/pods", 429, retry_after=5)
    await loop.settle()
    cluster.change("trainingpools", "warm", lambda one: one["spec"].update(replicas=2))
    await loop.settle()
    clock.advance(4.9)
    await loop.work()
    assert not cluster.of_kind("pods")
    clock.advance(0.1)
    await loop.work()
    assert len(cluster.of_kind("pods")) == 2


async def test_a_full_pool_costs_no_write_in_this_life_or_the_next(
    loop: Loop, cluster: FakeCluster, clock: Clock, start_operator: Callable[[], Loop]
) -> None:
    await fill(loop, cluster, clock, replicas=3)
    cluster.writes.clear()
    await loop.settle()
    await start_operator().settle()
    assert cluster.writes == []


async def test_a_warm_pod_whose_creation_was_not_answered_is_not_made_twice(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.pool(replicas=3)
    cluster.fail("POST", "/pods", 504, times=2, after_doing_it=True)
    await loop.settle()
    clock.advance(1)
    await loop.work()
    assert len(cluster.of_kind("pods")) == 3


async def test_a_pod_whose_creation_was_not_answered_is_asked_for_before_one_of_a_lower_number(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=3)
    first = names(cluster.of_kind("pods"))[0]
    ending = {"deletionTimestamp": format_timestamp(build.after(60))}
    cluster.change("pods", first, lambda one: one["metadata"].update(ending))
    cluster.fail("POST", "/pods", 503, after_doing_it=True)
    await loop.settle()
    loop.controller.observe_pod("DELETED", cluster.remove("pods", first))
    clock.advance(1)
    await loop.work()
    assert len(cluster.of_kind("pods")) == 3


async def test_a_quota_is_told_and_tried_with_one_pod_when_there_may_be_room(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.pool(replicas=30)
    cluster.fail("POST", "/pods", 403, times=1000, message="exceeded quota: team")
    await loop.settle()
    clock.advance(1)
    await loop.work()
    condition = pool_status(cluster)["conditions"][0]
    assert (condition["reason"], condition["status"]) == ("PodRejected", "False")
    assert "exceeded quota: team" in condition["message"]
    cluster.writes.clear()
    clock.advance(10)
    await loop.work()
    assert cluster.writes.count("POST research/pods") == 1
    cluster.failures.clear()
    clock.advance(20)
    await loop.work()
    assert len(cluster.of_kind("pods")) == 30


def lasting(cluster: FakeCluster) -> list[Object]:
    """The pods that are not being deleted."""
    return [pod for pod in cluster.of_kind("pods") if "deletionTimestamp" not in pod["metadata"]]


async def test_pods_that_grow_old_are_replaced_while_three_quarters_stay_ready(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=4, maxAgeSeconds=60)
    cluster.instance(**FROM_POOL)
    await loop.settle()
    get_ready(cluster)
    await loop.settle()
    (claimed,) = [pod for pod in cluster.of_kind("pods") if owner(pod) == "TrainingInstance/demo"]
    before = {pod["metadata"]["uid"] for pod in cluster.of_kind("pods")}
    cluster.now = clock
    for _ in range(80):
        clock.advance(1)
        await loop.settle()
        ready = [pod for pod in lasting(cluster) if pod["status"]["phase"] == "Running"]
        assert sum(owner(pod) == "TrainingPool/warm" for pod in ready) >= 3
        get_ready(cluster)
    left = {pod["metadata"]["uid"] for pod in lasting(cluster)}
    assert left & before == {claimed["metadata"]["uid"]}
    assert len(left) == 5


async def test_scaling_down_deletes_what_nobody_has_claimed(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=4)
    cluster.instance(**FROM_POOL)
    await loop.settle()
    cluster.change("trainingpools", "warm", lambda pool: pool["spec"].update(replicas=1))
    await loop.settle()
    ending = [pod for pod in cluster.of_kind("pods") if "deletionTimestamp" in pod["metadata"]]
    assert {owner(pod) for pod in ending} == {"TrainingPool/warm"}
    assert len(cluster.of_kind("pods")) - len(ending) == 2


async def test_another_image_replaces_warm_pods_and_leaves_claimed_ones(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=4)
    cluster.instance(**FROM_POOL)
    await loop.settle()
    get_ready(cluster)
    assert current(cluster) == ("True", "AllCurrent")
    cluster.change("trainingpools", "warm", lambda pool: pool["spec"].update(image="new:2"))
    clock.advance(2)
    await loop.settle()
    assert current(cluster) == ("False", "Replacing")
    for _ in range(10):
        clock.advance(2)
        await loop.settle()
        warm = [pod for pod in cluster.of_kind("pods") if owner(pod) == "TrainingPool/warm"]
        serving = [
            pod
            for pod in warm
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]
        assert len(serving) >= 3
        get_ready(cluster)
    for pod in [pod for pod in warm if "deletionTimestamp" in pod["metadata"]]:
        cluster.remove("pods", pod["metadata"]["name"])
    clock.advance(2)
    await loop.settle()
    images = [
        (owner(pod), pod["spec"]["containers"][0]["image"]) for pod in cluster.of_kind("pods")
    ]
    assert sorted(images) == [("TrainingInstance/demo", "x"), *[("TrainingPool/warm", "new:2")] * 4]
    assert status_of(cluster, "demo")["phase"] == "Ready"
    assert current(cluster) == ("True", "AllCurrent")


async def test_a_failed_warm_pod_is_replaced_but_not_at_any_rate(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.pool(replicas=1)
    await loop.settle()
    failed = {"phase": "Failed", "reason": "OutOfcpu", "message": "node has too little"}
    for number, pause in enumerate([10, 20, 40]):
        (name,) = [
            pod["metadata"]["name"]
            for pod in cluster.of_kind("pods")
            if "deletionTimestamp" not in pod["metadata"]
        ]
        cluster.change("pods", name, lambda pod: pod.update(status=failed))
        await loop.settle()
        if number:
            assert "deletionTimestamp" not in cluster.objects["pods", "research", name]["metadata"]
            clock.advance(pause / 2)
            await loop.work()
        assert "deletionTimestamp" in cluster.objects["pods", "research", name]["metadata"]
    assert "node has too little" in pool_status(cluster)["conditions"][0]["message"]


async def test_a_pool_that_follows_demand_makes_a_pod_for_whoever_waits(
    loop: Loop, cluster: FakeCluster
) -> None:
    cluster.pool(minReplicas=0, maxReplicas=5)
    await loop.settle()
    assert not cluster.of_kind("pods")
    for number in range(9):
        cluster.instance(f"demo-{number}", **FROM_POOL)
    await loop.settle()
    assert owners(cluster) == ["TrainingPool/warm"] * 5


async def test_a_pool_that_follows_demand_shrinks_as_it_falls(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, minReplicas=1, maxReplicas=9)
    clock.advance(120)
    for number in range(16):
        cluster.instance(f"demo-{number}", **FROM_POOL)
    targets: list[int] = []
    for seconds in (2, 2, 2, 60, 60):
        clock.advance(seconds)
        await loop.settle()
        get_ready(cluster)
        targets.append(pool_status(cluster)["targetReplicas"])
    assert targets == [9, 9, 4, 2, 1]
    staying = [pod for pod in cluster.of_kind("pods") if "deletionTimestamp" not in pod["metadata"]]
    assert [owner(pod) for pod in staying].count("TrainingPool/warm") == 1
    assert len(staying) == 17


async def test_a_deleted_pool_makes_no_more_pods(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    cluster.remove("trainingpools", "warm")
    cluster.remove("pods", names(cluster.of_kind("pods"))[0])
    cluster.instance(**FROM_POOL)
    await loop.settle()
    assert not cluster.of_kind("pods")
    assert reason_of(cluster, "demo") == "PoolNotFound"


@pytest.mark.parametrize("queue", ["_pool_queue", "_claims"])
async def test_a_namespace_with_a_thousand_pools_does_not_hold_up_another(
    loop: Loop, queue: str
) -> None:
    keys = [Key("large", f"pool-{number}") for number in range(1000)] + [Key("small", "only")]
    for number, key in enumerate(keys, 1):
        metadata = {**key._asdict(), "uid": f"uid-{number}", "resourceVersion": str(number)}
        loop.controller.observe_pool(None, {"metadata": metadata, "spec": {"envType": "appworld"}})
    waiting = getattr(loop.controller, queue)
    assert {(await waiting.get()).namespace for _ in range(2)} == {"large", "small"}
