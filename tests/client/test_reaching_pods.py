"""The way to a pod, and what is said when the pod is gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from training_sandbox import (
    AsyncTrainingSandbox,
    ConnectionFailed,
    EpisodeLost,
    InstanceLost,
    _reach,
)

if TYPE_CHECKING:
    from tests.client.support.stub_cluster import StubCluster
    from tests.client.support.stub_server import StubServer


async def test_a_pod_that_is_not_routed_is_reached_through_the_api_server(
    cluster: StubCluster,
) -> None:
    async with AsyncTrainingSandbox() as box:
        assert await box.get_env_profile() == ["task_1", "task_2"]
    assert cluster.forwarded


async def test_a_pod_that_is_routed_is_reached_directly(
    cluster: StubCluster, endpoint: str
) -> None:
    cluster.reconcile = lambda resource: cluster.ready(resource, endpoint)
    async with AsyncTrainingSandbox() as box:
        assert await box.get_env_profile() == ["task_1", "task_2"]
    assert not cluster.forwarded


async def test_a_pod_that_answers_late_is_reached_directly_where_nothing_may_be_forwarded(
    cluster: StubCluster, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.reconcile = lambda resource: cluster.ready(resource, endpoint)
    cluster.pod_address = None
    monkeypatch.setattr(_reach, "DIRECT_SECONDS", 1e-6)
    async with AsyncTrainingSandbox() as box:
        assert await box.get_env_profile() == ["task_1", "task_2"]


async def test_a_stranger_at_the_pods_address_is_not_taken_for_the_pod(
    cluster: StubCluster, endpoint: str, server: StubServer
) -> None:
    cluster.reconcile = lambda resource: cluster.ready(resource, endpoint)
    server.incarnation = "stranger-0"
    async with AsyncTrainingSandbox() as box:
        await box.get_env_profile()
    assert cluster.forwarded


async def test_a_failure_of_the_direct_way_holds_for_one_instance_where_it_has_worked(
    cluster: StubCluster, endpoint: str
) -> None:
    cluster.reconcile = lambda resource: cluster.ready(resource, endpoint)
    async with AsyncTrainingSandbox() as box:
        await box.get_env_profile()
    cluster.reconcile = cluster.ready
    async with AsyncTrainingSandbox() as box:
        await box.get_env_profile()
    forwarded = cluster.forwarded
    cluster.reconcile = lambda resource: cluster.ready(resource, endpoint)
    async with AsyncTrainingSandbox() as box:
        await box.get_env_profile()
    assert cluster.forwarded == forwarded


async def test_many_large_answers_at_once_come_through_the_tunnel_whole(
    cluster: StubCluster,
) -> None:
    async with AsyncTrainingSandbox() as box:
        episodes = [await box.create_instance(task_id="task_1") for _ in range(16)]
        actions = [str(number) * 200_000 for number in range(10, 26)]
        answers = await asyncio.gather(
            *(
                box.step(episode["info"]["instance_id"], action)
                for episode, action in zip(episodes, actions, strict=True)
            )
        )
    assert [answer["state"][0]["content"] for answer in answers] == [
        f"seen: {action}" for action in actions
    ]


async def test_credentials_that_expired_are_read_anew(
    cluster: StubCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncTrainingSandbox() as box:
        await box.get_env_profile()
        await cluster.end_pods()
        cluster.rotate_token("second")
        cluster.restart_pods()
        assert await box.get_env_profile() == ["task_1", "task_2"]


async def test_a_pod_whose_server_does_not_listen_is_explained(cluster: StubCluster) -> None:
    cluster.pod_address = None
    with pytest.raises(ConnectionFailed, match="refused"):
        await AsyncTrainingSandbox().start()
    assert not cluster.objects


async def test_an_instance_that_failed_in_mid_episode_is_lost_for_its_reason(
    cluster: StubCluster,
) -> None:
    async with AsyncTrainingSandbox(name="mine") as box:
        created = await box.create_instance(task_id="task_1")
        await cluster.end_pods()
        cluster.status(cluster.objects["mine"], "Failed", "False", "OOMKilled", "out of memory")
        with pytest.raises(InstanceLost, match="out of memory") as caught:
            await box.step(created["info"]["instance_id"], "a")
    assert caught.value.reason == "OOMKilled"


async def test_an_instance_that_was_deleted_in_mid_episode_is_lost(cluster: StubCluster) -> None:
    async with AsyncTrainingSandbox(name="mine") as box:
        created = await box.create_instance(task_id="task_1")
        await cluster.end_pods()
        cluster.delete("mine")
        with pytest.raises(InstanceLost, match="deleted"):
            await box.step(created["info"]["instance_id"], "a")


async def test_an_episode_of_a_server_that_restarted_is_lost(
    cluster: StubCluster, server: StubServer
) -> None:
    async with AsyncTrainingSandbox() as box:
        created = await box.create_instance(task_id="task_1")
        server.restart()
        with pytest.raises(EpisodeLost):
            await box.step(created["info"]["instance_id"], "a")
        again = await box.create_instance(task_id="task_1")
        await box.step(again["info"]["instance_id"], "a")


async def test_the_episode_of_the_sandboxs_own_task_is_open_already(
    cluster: StubCluster, server: StubServer
) -> None:
    async with (
        AsyncTrainingSandbox(name="mine", task_id="task_1", params={"seed": 1}) as box,
        box.episode() as episode,
    ):
        assert cluster.objects["mine"]["spec"]["params"] == {"seed": 1}
        assert episode.instance_id == "mine"
        await episode.step("a")
    assert server.sent("create")[-1]["params"] == {"seed": 1}
    assert server.executed("mine") == ["a"]
