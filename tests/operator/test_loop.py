"""The whole loop against an API server: what it writes, how often, and what survives a crash."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.operator.conftest import Clock, Loop, SandboxServer
from tests.operator.fake_cluster import FakeCluster
from tests.operator.instance_steps import POD, phase, reason, schedule, serve
from training_sandbox_operator.model.names import Key


async def test_an_instance_gets_one_pod_and_its_status(loop: Loop, cluster: FakeCluster) -> None:
    cluster.instance()
    pod = await schedule(loop, cluster)
    assert pod["metadata"]["name"] == POD
    assert cluster.only("traininginstances")["status"]["podUID"] == pod["metadata"]["uid"]


async def test_an_instance_that_becomes_ready_has_cost_three_writes_and_its_events(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    await serve(loop, cluster, sandbox)
    assert [write for write in cluster.writes if "events" not in write] == [
        "POST research/pods",
        "PATCH research/traininginstances/demo/status",
        "PATCH research/traininginstances/demo/status",
    ]
    assert len(cluster.of_kind("events")) == 2


async def test_what_has_converged_costs_no_write_in_this_life_or_the_next(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, start_operator: Callable[[], Loop]
) -> None:
    await serve(loop, cluster, sandbox)
    cluster.instance("other", envType="webshop")
    await loop.settle()
    cluster.writes.clear()
    await loop.settle()
    await start_operator().settle()
    assert cluster.writes == []


async def test_a_pod_that_gets_no_node_is_told_after_two_seconds(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance()
    await loop.settle()
    assert "status" not in cluster.only("traininginstances"), "it might have a node in a moment"
    clock.advance(2)
    await loop.work()
    assert (phase(cluster), reason(cluster)) == ("Pending", "Scheduling")


async def test_a_pod_whose_creation_was_not_answered_is_found_and_not_made_twice(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance()
    cluster.fail("POST", "/pods", 504, after_doing_it=True)
    await loop.settle()
    clock.advance(1)
    await loop.work()
    assert len(cluster.of_kind("pods")) == 1
    await schedule(loop, cluster)
    assert phase(cluster) == "Pending"


async def test_a_crash_between_pod_and_status_leaves_exactly_one_pod(
    loop: Loop, cluster: FakeCluster, start_operator: Callable[[], Loop]
) -> None:
    cluster.instance()
    cluster.fail("PATCH", "/status", 500)
    await schedule(loop, cluster)
    assert "status" not in cluster.only("traininginstances")
    await start_operator().settle()
    assert len(cluster.of_kind("pods")) == 1
    assert cluster.only("traininginstances")["status"]["podName"] == POD


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_request_that_fails_is_tried_again_after_a_pause(
    loop: Loop, cluster: FakeCluster, clock: Clock, status: int
) -> None:
    cluster.instance()
    cluster.fail("POST", "/pods", status, times=2)
    await loop.settle()
    assert not cluster.of_kind("pods")
    clock.advance(0.1)
    await loop.work()
    assert not cluster.of_kind("pods")
    clock.advance(0.2)
    await loop.work()
    assert cluster.of_kind("pods")


async def test_a_pause_that_the_api_server_asks_for_is_not_cut_short(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance()
    cluster.fail("POST", "/pods", 429, retry_after=5)
    await loop.settle()
    cluster.change("traininginstances", "demo", lambda one: one["spec"].update(ttlSeconds=1000))
    await loop.settle()
    clock.advance(4.9)
    await loop.work()
    assert not cluster.of_kind("pods")
    clock.advance(0.1)
    await loop.work()
    assert cluster.of_kind("pods")


async def test_a_pod_over_quota_is_told_and_made_when_there_is_room(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance()
    cluster.fail("POST", "/pods", 403, message="exceeded quota: team")
    await loop.settle()
    condition = cluster.only("traininginstances")["status"]["conditions"][0]
    assert (condition["reason"], condition["message"]) == ("PodRejected", "exceeded quota: team")
    clock.advance(9)
    await loop.work()
    assert not cluster.of_kind("pods")
    clock.advance(1)
    await loop.work()
    assert cluster.of_kind("pods")
    assert reason(cluster) == "Scheduling"


async def test_a_leader_that_the_api_server_does_not_know_of_yet_tries_again_and_blames_nobody(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance()
    policy = "x.system.leader.trainingsandbox.dev"
    refusal = f"ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request: late"
    cluster.fail("POST", "/pods", 403, message=refusal)
    await loop.settle()
    assert "status" not in cluster.only("traininginstances")
    clock.advance(1)
    await loop.work()
    assert cluster.of_kind("pods")


async def test_a_pod_of_the_same_name_and_another_owner_is_left_alone(
    loop: Loop, cluster: FakeCluster
) -> None:
    cluster.instance()
    stranger = {"metadata": {"namespace": "research", "name": POD}, "spec": {}, "status": {}}
    cluster._store("pods", stranger)
    await loop.settle()
    assert cluster.only("pods") == stranger
    assert reason(cluster) == "PodNameConflict"


async def test_a_status_is_not_written_over_a_change_that_was_not_seen(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance(envType="webshop")
    await loop.controller.synchronise()
    cluster.change("traininginstances", "demo", lambda one: one["spec"].update(ttlSeconds=60))
    await loop.work()
    assert "status" not in cluster.only("traininginstances")
    await loop.settle()
    assert cluster.only("traininginstances")["status"]["expiresAt"] == "2026-01-01T12:01:00Z"


async def test_an_instance_of_an_unknown_environment_starts_when_the_catalogue_has_it(
    loop: Loop, cluster: FakeCluster, catalogue_path: Any
) -> None:
    cluster.instance(envType="webshop")
    await loop.settle()
    assert reason(cluster) == "UnknownEnvironment"
    catalogue_path.write_text("environments: {webshop: {image: y}}")
    assert loop.controller._catalogue.reload()
    loop.controller._plan_anew()
    await loop.work()
    assert cluster.only("pods")["spec"]["containers"][0]["image"] == "y"
    assert reason(cluster) == "Scheduling"


async def test_an_event_is_created_once_though_the_operator_starts_again(
    loop: Loop,
    cluster: FakeCluster,
    start_operator: Callable[[], Loop],
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster.instance(envType="webshop")
    await loop.settle()
    cluster.change("traininginstances", "demo", lambda one: one.pop("status"))
    await start_operator().settle()
    assert len(cluster.of_kind("events")) == 1
    assert caplog.text == "", "to be told already is no fault"


async def test_an_event_that_cannot_be_created_holds_nothing_up(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    cluster.fail("POST", "/events", 403, times=100)
    await serve(loop, cluster, sandbox)
    assert not cluster.of_kind("events")


async def test_the_running_controller_does_what_the_watch_tells_until_it_is_cancelled(
    loop: Loop, cluster: FakeCluster
) -> None:
    await loop.controller.synchronise()
    running = asyncio.create_task(loop.controller.run())
    loop.controller.observe_instance("ADDED", cluster.instance(envType="webshop"))
    async with asyncio.timeout(30):
        await cluster.status_written.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert reason(cluster) == "UnknownEnvironment"


async def test_a_question_that_is_not_answered_does_not_hold_up_the_end(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox)
    sandbox.hangs = True
    clock.advance(300)
    running = asyncio.create_task(loop.controller.run())
    async with asyncio.timeout(30):
        await sandbox.asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not loop.controller._asker._under_way
    assert cluster.of_kind("traininginstances")


async def test_much_that_is_as_it_should_be_does_not_hold_up_everything_else(
    loop: Loop, cluster: FakeCluster
) -> None:
    for number in range(20):
        cluster.instance(f"demo-{number}")
    await loop.settle()
    loop.controller._plan_anew()
    working = asyncio.create_task(loop.controller._reconciler.work())
    for _ in range(5):
        await asyncio.sleep(0)
    left = len(loop.controller._queue)
    working.cancel()
    assert 0 < left < 20


async def test_instances_start_one_by_one_while_statuses_take_long_to_write(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    await serve(loop, cluster, sandbox)
    pace, queue = loop.controller._pace, loop.controller._queue
    for _ in range(100):
        pace.observe(10.0)
    for number in range(2):
        cluster.instance(f"next-{number}")
    await loop.controller.synchronise()
    first = await queue.get()
    second = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not second.done()
    queue.done(first)
    assert await second != first


async def test_what_goes_or_is_over_does_not_wait_among_starts(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance(ttlSeconds=60)
    await loop.controller.synchronise()
    key = Key("research", "demo")
    assert loop.controller._is_start(key)
    clock.advance(60)
    assert not loop.controller._is_start(key)


async def test_an_instance_that_took_the_name_of_one_whose_pod_ends_is_to_be_started(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    await serve(loop, cluster, sandbox)
    cluster.remove("traininginstances", "demo")
    cluster.instance()
    await loop.controller.synchronise()
    assert loop.controller._is_start(Key("research", "demo"))
