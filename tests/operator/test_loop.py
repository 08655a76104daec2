"""The whole loop against an API server: what it writes, how often, and what survives a crash."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.operator import builders as build
from tests.operator.conftest import Clock, Loop, SandboxServer
from tests.operator.fake_cluster import FakeCluster, Object

POD = "demo-00000001"


def become(status: dict[str, Any]) -> Callable[[Object], None]:
    return lambda pod: pod.update(status=status, spec={**pod["spec"], "nodeName": "worker-1"})


async def serve(loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, **spec: Any) -> None:
    """Bring an instance to Ready."""
    cluster.instance(**spec)
    await loop.settle()
    pod = cluster.change("pods", POD, become(build.serving()))
    sandbox.incarnation = f"{pod['metadata']['uid']}-0"
    await loop.settle()
    assert phase(cluster) == "Ready"


def phase(cluster: FakeCluster) -> str:
    return cluster.only("traininginstances")["status"]["phase"]


def reason(cluster: FakeCluster) -> str:
    return cluster.only("traininginstances")["status"]["conditions"][0]["reason"]


async def test_an_instance_gets_one_pod_and_its_status(loop: Loop, cluster: FakeCluster) -> None:
    cluster.instance()
    await loop.settle()
    pod = cluster.only("pods")
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


async def test_a_pod_whose_creation_was_not_answered_is_found_and_not_made_twice(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance()
    cluster.fail("POST", "/pods", 504, after_doing_it=True)
    await loop.settle()
    clock.advance(1)
    await loop.work()
    assert len(cluster.of_kind("pods")) == 1
    assert phase(cluster) == "Pending"


async def test_a_crash_between_pod_and_status_leaves_exactly_one_pod(
    loop: Loop, cluster: FakeCluster, start_operator: Callable[[], Loop]
) -> None:
    cluster.instance()
    cluster.fail("PATCH", "/status", 500)
    await loop.settle()
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
    cluster.instance()
    await loop.controller.synchronise()
    cluster.change("traininginstances", "demo", lambda one: one["spec"].update(ttlSeconds=60))
    await loop.work()
    assert "status" not in cluster.only("traininginstances")
    await loop.settle()
    assert cluster.only("traininginstances")["status"]["expiresAt"] == "2026-01-01T12:01:00Z"


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
    loop.controller.observe_instance("ADDED", cluster.instance())
    async with asyncio.timeout(30):
        await cluster.status_written.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(cluster.of_kind("pods")) == 1


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
