"""The fence: who does not lead, or not any more, sends no write."""

from __future__ import annotations

import asyncio

import kopf
import pytest
from aiohttp.test_utils import TestServer

from tests.operator.conftest import Seconds
from tests.operator.watched_cluster import WatchedCluster
from training_sandbox_operator.cluster import errors
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.control.election import Election, Leadership, LeaseLostError
from training_sandbox_operator.model.names import Key

LEASE = Key("system", "operator")


@pytest.fixture
def leadership(seconds: Seconds) -> Leadership:
    return Leadership(is_contested=True, clock=seconds)


@pytest.fixture
async def cluster() -> WatchedCluster:
    return WatchedCluster()


@pytest.fixture
def election(api: KubernetesApi, leadership: Leadership) -> Election:
    return Election(api=api, lease=LEASE, seconds=10, leadership=leadership, identity="one")


async def test_nothing_is_written_before_the_election_and_all_may_be_read(
    api: KubernetesApi, cluster: WatchedCluster
) -> None:
    one = cluster.instance()["metadata"]
    key, version = Key("research", "demo"), int(one["resourceVersion"])
    pod = {"metadata": {"namespace": "research", "name": "demo"}}
    for write in (
        api.create_pod(pod),
        api.claim_pod(key, []),
        api.delete_pod(key, uid="x"),
        api.delete_instance(key, uid=one["uid"], resource_version=version),
        api.replace_status(key, resource_version=version, status={}),
        api.replace_pool_status(key, resource_version=version, status={}),
        api.create_event(pod),
    ):
        with pytest.raises(errors.NotLeadingError):
            await write
    assert cluster.requests == []
    assert [page async for page in api.list_instances("research")]


async def test_a_leader_writes_until_its_lease_is_not_valid_any_more(
    api: KubernetesApi, election: Election, seconds: Seconds, cluster: WatchedCluster
) -> None:
    running = asyncio.create_task(election.run())
    await election.won.wait()
    await api.create_pod({"metadata": {"namespace": "research", "name": "early"}})
    seconds.now = 8
    with pytest.raises(errors.NotLeadingError):
        await api.create_pod({"metadata": {"namespace": "research", "name": "late"}})
    with pytest.raises(LeaseLostError):
        await running
    assert [one["metadata"]["name"] for one in cluster.of_kind("pods")] == ["early"]


async def test_a_leader_that_is_paused_right_before_it_sends_a_write_does_not_send_it(
    cluster: WatchedCluster,
) -> None:
    seconds_left = iter([8.0, -1.0])
    async with TestServer(cluster.app()) as server:
        connection = kopf.ConnectionInfo(server=str(server.make_url("")), token="one")
        async with KubernetesApi(
            lambda: connection, may_write_for=lambda: next(seconds_left)
        ) as api:
            with pytest.raises(errors.UnavailableError, match="does not lead any more"):
                await api.create_pod({"metadata": {"namespace": "research", "name": "late"}})
    assert cluster.requests == []


async def test_who_resigns_gives_the_lease_back_and_writes_nothing_more(
    api: KubernetesApi, election: Election, cluster: WatchedCluster
) -> None:
    running = asyncio.create_task(election.run())
    await election.won.wait()
    await election.resign()
    assert cluster.holders == ["one", ""]
    with pytest.raises(errors.NotLeadingError):
        await api.create_pod({"metadata": {"namespace": "research", "name": "late"}})
    running.cancel()


async def test_a_lease_of_another_is_not_touched_by_a_resignation(
    election: Election, cluster: WatchedCluster
) -> None:
    await election.resign()
    assert cluster.requests == []
