"""The end of an instance in the whole loop: its time is over, its task, or its pod is lost."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.operator import builders as build
from tests.operator.conftest import Clock, Loop, SandboxServer
from tests.operator.fake_cluster import FakeCluster
from tests.operator.instance_steps import POD, become, phase, reason, serve
from tests.operator.pool_steps import fill, names
from training_sandbox_operator.cluster.admission import Urgency
from training_sandbox_operator.model.timestamps import format_timestamp


async def test_an_instance_is_deleted_at_the_end_of_its_ttl(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance(ttlSeconds=60)
    await loop.settle()
    clock.advance(59.9)
    await loop.work()
    assert cluster.of_kind("traininginstances")
    clock.advance(0.1)
    await loop.work()
    assert not cluster.of_kind("traininginstances")
    assert "TTLExpired" in {event["reason"] for event in cluster.of_kind("events")}


async def test_an_instance_whose_ttl_was_extended_at_the_last_moment_is_not_deleted(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance(ttlSeconds=60)
    await loop.settle()
    cluster.change("traininginstances", "demo", lambda one: one["spec"].update(ttlSeconds=600))
    clock.advance(60)
    await loop.work()
    assert cluster.of_kind("traininginstances")
    assert "TTLExpired" not in {event["reason"] for event in cluster.of_kind("events")}


async def test_an_idle_instance_is_asked_once_and_deleted(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox)
    sandbox.data["idle_seconds"] = 300.0
    clock.advance(300)
    await loop.work()
    assert not cluster.of_kind("traininginstances")
    assert sandbox.questions == 1


async def test_an_instance_that_is_used_while_its_deletion_waits_for_its_turn_is_kept(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox)
    admission = loop.controller._api._admission
    sandbox.data["idle_seconds"] = 300.0
    clock.advance(300)
    admission.hold(60)
    working = asyncio.create_task(loop.work())
    async with asyncio.timeout(30):
        while not admission._waiting[Urgency.FIRST]:  # noqa: ASYNC110 — it has no event
            await asyncio.sleep(0.01)
    clock.advance(6)
    sandbox.data["idle_seconds"] = 0.0
    admission._held_until = 0
    admission._admit()
    await working
    clock.advance(1)
    await loop.work()
    assert cluster.of_kind("traininginstances")
    assert sandbox.questions == 2
    assert "IdleTimeout" not in {event["reason"] for event in cluster.of_kind("events")}


async def test_an_instance_that_was_idle_when_the_operator_starts_is_deleted_within_a_minute(
    loop: Loop,
    cluster: FakeCluster,
    sandbox: SandboxServer,
    clock: Clock,
    start_operator: Callable[[], Loop],
) -> None:
    await serve(loop, cluster, sandbox)
    sandbox.data["idle_seconds"] = 1000.0
    clock.advance(1000)
    started = start_operator()
    await started.settle()
    assert sandbox.questions == 0
    clock.advance(30)
    await started.settle()
    clock.advance(30)
    await started.settle()
    assert not cluster.of_kind("traininginstances")
    assert sandbox.questions == 1


async def test_an_instance_in_use_is_asked_once_an_idle_timeout(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox)
    for _ in range(1000):
        clock.advance(1)
        await loop.work()
    assert cluster.of_kind("traininginstances")
    assert sandbox.questions == 3


async def test_an_instance_that_cannot_be_asked_is_kept_until_its_ttl_and_warned_of_once(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox, ttlSeconds=2000)
    sandbox.is_down = True
    for _ in range(199):
        clock.advance(10)
        await loop.work()
    assert cluster.of_kind("traininginstances")
    warnings = [one for one in cluster.of_kind("events") if one["reason"] == "IdleUnknown"]
    assert len(warnings) == 1
    assert sandbox.questions < 15
    clock.advance(10)
    await loop.work()
    assert not cluster.of_kind("traininginstances")


async def test_an_answer_of_another_pod_at_the_same_address_does_not_count(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox)
    sandbox.incarnation = "another-0"
    sandbox.data["idle_seconds"] = 9000.0
    clock.advance(300)
    await loop.work()
    assert cluster.of_kind("traininginstances")


async def test_a_bound_task_goes_from_ready_to_finished_and_then_away(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox, taskId="t1")
    cluster.writes.clear()
    clock.advance(20)
    sandbox.data["task"] = {"state": "terminated", "steps": 2, "reward": 0.5, "finished": True}
    cluster.change("pods", POD, become(build.unready(build.after(20))))
    await loop.settle()
    status = cluster.only("traininginstances")["status"]
    assert (status["phase"], status["task"]["reward"]) == ("Finished", 0.5)
    assert cluster.writes.count("PATCH research/traininginstances/demo/status") == 1
    assert cluster.of_kind("pods")
    clock.advance(60)
    await loop.work()
    assert not cluster.of_kind("traininginstances")


async def test_a_failed_instance_is_told_before_its_pod_is_deleted(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    await serve(loop, cluster, sandbox)
    cluster.writes.clear()
    evicted = {"phase": "Failed", "reason": "Evicted", "message": "disk pressure"}
    cluster.change("pods", POD, become(evicted))
    await loop.settle()
    assert [write for write in cluster.writes if "events" not in write] == [
        "PATCH research/traininginstances/demo/status",
        f"DELETE research/pods/{POD}",
    ]
    assert (phase(cluster), reason(cluster)) == ("Failed", "Evicted")


async def test_a_failed_instance_that_is_retained_keeps_its_pod(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    await serve(loop, cluster, sandbox, retainFailed=True)
    cluster.change("pods", POD, become({"phase": "Failed", "reason": "Evicted"}))
    await loop.settle()
    assert phase(cluster) == "Failed"
    assert "deletionTimestamp" not in cluster.only("pods")["metadata"]


async def test_a_pod_that_vanished_unseen_fails_its_instance_in_the_next_life(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, start_operator: Callable[[], Loop]
) -> None:
    await serve(loop, cluster, sandbox)
    cluster.remove("pods", POD)
    await start_operator().settle()
    assert (phase(cluster), reason(cluster)) == ("Failed", "PodDeleted")
    assert not cluster.of_kind("pods")


async def test_a_deletion_that_the_watch_did_not_tell_is_found_by_the_list(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    await serve(loop, cluster, sandbox)
    cluster.remove("traininginstances", "demo")
    cluster.remove("pods", POD)
    await loop.settle()
    assert loop.controller.vital_signs() == {
        "instances": 0,
        "pods": 0,
        "pools": 0,
        "queued": 0,
        "deadlines": 0,
    }


async def test_a_pod_left_on_a_dead_node_is_forced_though_its_instance_is_gone(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox)
    cluster.remove("traininginstances", "demo")
    ends_at = build.format_timestamp(build.after(30))
    cluster.change("pods", POD, lambda pod: pod["metadata"].update(deletionTimestamp=ends_at))
    await loop.settle()
    assert cluster.of_kind("pods")
    clock.advance(60)
    await loop.work()
    assert not cluster.of_kind("pods")


@pytest.mark.parametrize("with_pool", [True, False])
async def test_a_warm_pod_left_on_a_dead_node_is_forced_though_its_pool_is_gone(
    loop: Loop, cluster: FakeCluster, clock: Clock, with_pool: bool
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    left = cluster.only("pods")["metadata"]["name"]
    if not with_pool:
        cluster.remove("trainingpools", "warm")
    ends_at = format_timestamp(clock() + timedelta(seconds=30))
    cluster.change("pods", left, lambda pod: pod["metadata"].update(deletionTimestamp=ends_at))
    await loop.settle()
    clock.advance(59)
    await loop.work()
    assert left in names(cluster.of_kind("pods"))
    clock.advance(1)
    await loop.work()
    assert left not in names(cluster.of_kind("pods"))
    assert len(cluster.of_kind("pods")) == with_pool


async def test_a_pool_is_filled_though_the_end_of_a_pod_may_not_be_forced(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    left = cluster.only("pods")["metadata"]["name"]
    ends_at = format_timestamp(clock())
    cluster.change("pods", left, lambda pod: pod["metadata"].update(deletionTimestamp=ends_at))
    cluster.fail("DELETE", "/pods", 403, times=1000)
    clock.advance(60)
    await loop.settle()
    assert f"DELETE research/pods/{left}" in cluster.writes
    assert len(cluster.of_kind("pods")) == 2


async def test_last_words_that_no_utf_8_can_hold_are_told_all_the_same(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    await serve(loop, cluster, sandbox)
    words = '{"reason": "ZygoteDied", "message": "half of a pair: \\ud83d"}'
    ended = build.pod_status(phase="Failed", state=build.terminated(1, "Error", words))
    cluster.change("pods", POD, become(ended))
    await loop.settle()
    assert (phase(cluster), reason(cluster)) == ("Failed", "ZygoteDied")


async def test_the_pod_of_an_instance_that_a_finalizer_keeps_is_ended(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    pod = await serve(loop, cluster, sandbox)
    ending = {"deletionTimestamp": format_timestamp(build.CREATED), "finalizers": ["example/x"]}
    cluster.change("traininginstances", "demo", lambda one: one["metadata"].update(ending))
    cluster.writes.clear()
    await loop.settle()
    await loop.settle()
    assert cluster.writes == [f"DELETE research/pods/{pod['metadata']['name']}"]
