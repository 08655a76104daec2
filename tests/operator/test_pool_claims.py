"""Claims in the whole loop: who gets which pod, with which task, and what survives a crash."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.operator import builders as build
from tests.operator.conftest import Clock, Loop, SandboxServer
from tests.operator.fake_cluster import FakeCluster
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
from training_sandbox_operator.model.bounded_spec import LARGEST_SPEC

OR_COLD = {"poolRef": {"name": "warm", "whenEmpty": "ColdStart"}}


async def test_a_claim_is_ready_with_two_writes_and_the_pod_is_replaced(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    cluster.writes.clear()
    cluster.instance(**FROM_POOL)
    await loop.settle()
    status = status_of(cluster, "demo")
    assert status["phase"] == "Ready"
    pod = cluster.objects["pods", "research", status["podName"]]
    assert owner(pod) == "TrainingInstance/demo"
    assert pod["metadata"]["labels"]["trainingsandbox.dev/instance"] == "demo"
    clock.advance(1)
    await loop.work()
    assert owners(cluster) == ["TrainingInstance/demo", "TrainingPool/warm"]
    of_the_claim = [one for one in cluster.writes if "events" not in one and "POST" not in one]
    assert of_the_claim[:2] == [
        f"PATCH research/pods/{status['podName']}",
        "PATCH research/traininginstances/demo/status",
    ]


async def test_each_of_many_claims_gets_a_pod_of_its_own(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=5)
    for number in range(5):
        cluster.instance(f"demo-{number}", **FROM_POOL)
    await loop.settle()
    claimed = [status_of(cluster, f"demo-{number}")["podName"] for number in range(5)]
    assert len(set(claimed)) == 5


async def test_a_claim_waits_for_the_next_pod_and_says_so(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.pool(replicas=1)
    cluster.instance(**FROM_POOL)
    await loop.settle()
    assert reason_of(cluster, "demo") == "WaitingForPool"
    assert pool_status(cluster)["waitingClaims"] == 1
    get_ready(cluster)
    await loop.settle()
    assert status_of(cluster, "demo")["phase"] == "Ready"


async def test_a_claim_starts_cold_when_it_may_and_the_pool_is_empty(
    loop: Loop, cluster: FakeCluster
) -> None:
    cluster.pool(replicas=0, image="registry.example/other:2")
    cluster.instance(**OR_COLD)
    await loop.settle()
    pod = cluster.only("pods")
    assert owner(pod) == "TrainingInstance/demo"
    assert pod["spec"]["containers"][0]["image"] == "registry.example/other:2"


async def test_a_claim_on_a_pool_that_is_not_there_waits_for_it(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance(**OR_COLD)
    await loop.settle()
    assert reason_of(cluster, "demo") == "PoolNotFound"
    assert not cluster.of_kind("pods")
    await fill(loop, cluster, clock, replicas=0)
    assert owners(cluster) == ["TrainingInstance/demo"]


async def test_a_claim_that_starts_cold_does_so_when_its_pool_is_mended(
    loop: Loop, cluster: FakeCluster
) -> None:
    cluster.pool(replicas=0, priorityClassName="unheard-of")
    cluster.instance(**OR_COLD)
    await loop.settle()
    assert reason_of(cluster, "demo") == "OverrideNotAllowed"
    cluster.change("trainingpools", "warm", lambda one: one["spec"].pop("priorityClassName"))
    await loop.settle()
    assert owners(cluster) == ["TrainingInstance/demo"]


async def test_a_claim_that_starts_cold_does_so_when_its_pool_is_made_anew(
    loop: Loop, cluster: FakeCluster
) -> None:
    cluster.pool(replicas=0, priorityClassName="unheard-of")
    cluster.instance(**OR_COLD)
    await loop.settle()
    cluster.remove("trainingpools", "warm")
    await loop.settle()
    assert reason_of(cluster, "demo") == "PoolNotFound"
    cluster.pool(replicas=0)
    await loop.settle()
    assert owners(cluster) == ["TrainingInstance/demo"]


async def test_a_claim_on_a_pool_of_another_environment_is_no_demand(
    loop: Loop, cluster: FakeCluster
) -> None:
    cluster.pool(maxReplicas=5)
    cluster.instance(**{**FROM_POOL, "envType": "webshop"})
    await loop.settle()
    assert pool_status(cluster).get("waitingClaims", 0) == 0
    assert not cluster.of_kind("pods")


async def test_a_claim_whose_params_are_not_kept_gets_nothing(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    large = {"taskId": "t1", "params": {"note": "x" * LARGEST_SPEC}}
    cluster.instance(**FROM_POOL, **large)
    await fill(loop, cluster, clock, replicas=1)
    assert reason_of(cluster, "demo") == "ParamsTooLarge"
    assert owners(cluster) == ["TrainingPool/warm"]


async def test_a_claim_on_a_pool_of_another_environment_gets_nothing(
    loop: Loop, cluster: FakeCluster, clock: Clock, catalogue_path: Any
) -> None:
    cluster.instance(**{**FROM_POOL, "envType": "webshop"})
    await fill(loop, cluster, clock, replicas=1)
    assert reason_of(cluster, "demo") == "PoolOfOtherEnvironment"
    assert owners(cluster) == ["TrainingPool/warm"]


async def test_a_pod_that_somebody_else_has_claimed_is_not_taken_from_them(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=2)
    cluster.instance(**FROM_POOL)
    await loop.controller.synchronise()
    taken = names(cluster.of_kind("pods"))[0]
    reference = {"kind": "TrainingInstance", "name": "x", "uid": "x", "controller": True}
    cluster.change("pods", taken, lambda pod: pod["metadata"].update(ownerReferences=[reference]))
    await loop.work()
    status = status_of(cluster, "demo")
    assert status["phase"] == "Ready"
    assert status["podName"] != taken


async def test_a_claim_whose_answer_was_lost_is_not_made_twice(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=2)
    cluster.fail("PATCH", "/pods/", 504, after_doing_it=True)
    cluster.instance(**FROM_POOL)
    await loop.settle()
    clock.advance(1)
    await loop.work()
    assert owners(cluster).count("TrainingInstance/demo") == 1
    assert status_of(cluster, "demo")["phase"] == "Ready"


async def test_a_crash_between_claim_and_status_leaves_the_instance_its_pod(
    loop: Loop, cluster: FakeCluster, clock: Clock, start_operator: Callable[[], Loop]
) -> None:
    await fill(loop, cluster, clock, replicas=2)
    cluster.fail("PATCH", "/status", 500, times=100)
    cluster.instance(**FROM_POOL)
    await loop.settle()
    cluster.failures.clear()
    await start_operator().settle()
    assert owners(cluster).count("TrainingInstance/demo") == 1
    assert status_of(cluster, "demo")["phase"] == "Ready"


async def test_of_two_pods_that_were_claimed_for_one_instance_one_is_deleted(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    await fill(loop, cluster, clock, replicas=2)
    instance = cluster.instance(**FROM_POOL)
    await loop.settle()
    other = next(pod for pod in cluster.of_kind("pods") if owner(pod) == "TrainingPool/warm")
    reference = {
        "kind": "TrainingInstance",
        "name": "demo",
        "uid": instance["metadata"]["uid"],
        "controller": True,
    }
    name = other["metadata"]["name"]
    cluster.change("pods", name, lambda pod: pod["metadata"].update(ownerReferences=[reference]))
    await loop.settle()
    assert status_of(cluster, "demo")["podName"] != name
    assert "deletionTimestamp" in cluster.objects["pods", "research", name]["metadata"]


async def test_a_task_is_opened_in_the_claimed_pod_before_the_instance_is_ready(
    loop: Loop, cluster: FakeCluster, clock: Clock, sandbox: SandboxServer
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    sandbox.incarnation = f"{cluster.only('pods')['metadata']['uid']}-0"
    cluster.instance(**FROM_POOL, taskId="t1", params={"seed": 7})
    await loop.settle()
    assert status_of(cluster, "demo")["phase"] == "Ready"
    assert sandbox.bindings == [
        {
            "env_type": "appworld",
            "task_id": "t1",
            "instance_id": "demo",
            "params": {"seed": 7},
            "incarnation": sandbox.incarnation,
        }
    ]


async def test_a_task_is_opened_by_a_server_that_has_not_counted_the_containers_first_run(
    loop: Loop, cluster: FakeCluster, clock: Clock, sandbox: SandboxServer
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    pod = cluster.only("pods")["metadata"]
    restarted = build.serving_again(1, "Error")
    cluster.change("pods", pod["name"], lambda pod: pod.update(status=restarted))
    sandbox.incarnation = f"{pod['uid']}-0"
    cluster.instance(**FROM_POOL, taskId="t1")
    await loop.settle()
    assert [one["incarnation"] for one in sandbox.bindings] == [f"{pod['uid']}-1"]
    status = status_of(cluster, "demo")
    assert (status["phase"], status["incarnation"]) == ("Ready", f"{pod['uid']}-1")


async def test_a_task_that_the_environment_does_not_know_fails_the_instance(
    loop: Loop, cluster: FakeCluster, clock: Clock, sandbox: SandboxServer
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    sandbox.refusal = (404, "unknown_task", "no split has the task t1")
    cluster.instance(**FROM_POOL, taskId="t1")
    await loop.settle()
    status = status_of(cluster, "demo")
    assert (status["phase"], reason_of(cluster, "demo")) == ("Failed", "UnknownTask")
    assert status["conditions"][0]["message"] == "no split has the task t1"


@pytest.mark.parametrize("refusal", [(503, "draining", "it ends"), (500, "", "")])
async def test_a_server_that_cannot_be_told_of_the_task_now_is_told_later(
    loop: Loop,
    cluster: FakeCluster,
    clock: Clock,
    sandbox: SandboxServer,
    refusal: tuple[int, str, str],
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    sandbox.incarnation = f"{cluster.only('pods')['metadata']['uid']}-0"
    sandbox.refusal = refusal
    cluster.instance(**FROM_POOL, taskId="t1")
    await loop.settle()
    assert reason_of(cluster, "demo") == "TaskNotOpened"
    sandbox.refusal = None
    clock.advance(2)
    await loop.work()
    assert status_of(cluster, "demo")["phase"] == "Ready"


async def test_a_claimed_server_that_is_restarted_has_lost_its_task(
    loop: Loop, cluster: FakeCluster, clock: Clock, sandbox: SandboxServer
) -> None:
    await fill(loop, cluster, clock, replicas=1)
    sandbox.incarnation = f"{cluster.only('pods')['metadata']['uid']}-0"
    cluster.instance(**FROM_POOL, taskId="t1")
    await loop.settle()
    down = build.serving_again(137, "OOMKilled")
    name = status_of(cluster, "demo")["podName"]
    cluster.change("pods", name, lambda pod: pod.update(status=down))
    await loop.settle()
    assert (status_of(cluster, "demo")["phase"], reason_of(cluster, "demo")) == (
        "Failed",
        "OOMKilled",
    )
