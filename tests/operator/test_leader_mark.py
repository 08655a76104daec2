"""Who leads is told to the API server, and by each pod that is made or claimed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.operator import builders as build
from tests.operator.conftest import Seconds
from tests.operator.fake_cluster import Object
from tests.operator.watched_cluster import WatchedCluster
from training_sandbox_operator.cluster import errors, kubernetes_api
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.control.election import Election, Leadership
from training_sandbox_operator.decisions.election import Terms
from training_sandbox_operator.model.lease import held_by
from training_sandbox_operator.model.names import Key

LEASE = Key("research", "operator")
LEADERS = "/operatorleaders"
POLICY = "operator.research.leader.trainingsandbox.dev"
REFUSAL = f"ValidatingAdmissionPolicy '{POLICY}' with binding '{POLICY}' denied request: late"


@pytest.fixture
async def cluster() -> WatchedCluster:
    return WatchedCluster()


@pytest.fixture
def leadership(seconds: Seconds) -> Leadership:
    return Leadership(is_contested=True, clock=seconds)


@pytest.fixture
def election(api: KubernetesApi, leadership: Leadership) -> Election:
    return Election(api=api, lease=LEASE, seconds=10, leadership=leadership, identity="one")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch, seconds: Seconds) -> list[tuple[float, bool]]:
    """How long elections have paused, and whether they were won; time goes by on their clock."""
    pauses: list[tuple[float, bool]] = []

    async def pause(election: Election, due_in: float) -> None:
        pauses.append((due_in, election.won.is_set()))
        seconds.now += max(due_in, 0)
        await asyncio.sleep(0)

    monkeypatch.setattr(Election, "_pause", pause)
    return pauses


@asynccontextmanager
async def won(election: Election) -> AsyncIterator[None]:
    running = asyncio.create_task(election.run())
    try:
        async with asyncio.timeout(10):
            await election.won.wait()
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


def pod(name: str) -> Object:
    # As every pod of an operator has some.
    return {"metadata": {"namespace": "research", "name": name, "annotations": {"note": "kept"}}}


def annotations(cluster: WatchedCluster, name: str) -> Object:
    return cluster.objects["pods", "research", name]["metadata"]["annotations"]


async def test_a_leader_tells_who_leads_before_it_writes_anything_else(
    election: Election, cluster: WatchedCluster
) -> None:
    async with won(election):
        assert [path.rpartition("/")[2] for _, _, path in cluster.requests][:2] == [
            "leases",
            "operatorleaders",
        ]
    leader = cluster.only("operatorleaders")
    assert (leader["metadata"]["name"], leader["spec"]) == ("operator", {"identity": "one"})


async def test_it_tells_so_in_the_place_of_whoever_led_before(
    election: Election, cluster: WatchedCluster
) -> None:
    metadata = {"namespace": "research", "name": "operator"}
    cluster._store("operatorleaders", {"metadata": metadata, "spec": {"identity": "former"}})
    async with won(election):
        assert cluster.only("operatorleaders")["spec"] == {"identity": "one"}


async def test_what_it_makes_and_claims_tells_who_leads(
    api: KubernetesApi, election: Election, cluster: WatchedCluster
) -> None:
    async with won(election):
        await api.create_pod(pod("warm"))
        await api.claim_pod(Key("research", "warm"), [])
    assert annotations(cluster, "warm") == {
        "note": "kept",
        "trainingsandbox.dev/created-by": "one",
        "trainingsandbox.dev/claimed-by": "one",
    }


async def test_an_operator_without_a_lease_tells_of_no_leader(
    api: KubernetesApi, leadership: Leadership, cluster: WatchedCluster
) -> None:
    leadership.set_until(math.inf)
    await api.create_pod(pod("plain"))
    assert annotations(cluster, "plain") == {"note": "kept"}


@pytest.mark.parametrize("status", [403, 404])
async def test_where_it_cannot_be_told_who_leads_pods_are_made_without_a_word(
    api: KubernetesApi,
    election: Election,
    cluster: WatchedCluster,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    """The CustomResourceDefinitions, or the rights, are those of an earlier version."""
    cluster.fail("POST", LEADERS, status)
    async with won(election):
        await api.create_pod(pod("plain"))
    assert annotations(cluster, "plain") == {"note": "kept"}
    assert "what the network delivers late is not refused" in caplog.text


async def test_nobody_begins_before_it_is_told_who_leads(
    election: Election, cluster: WatchedCluster, pauses: list[tuple[float, bool]]
) -> None:
    cluster.fail("POST", LEADERS, 503, times=2)
    async with won(election):
        assert cluster.only("operatorleaders")["spec"] == {"identity": "one"}
    assert cluster.writes.count("POST research/operatorleaders") == 3
    renewals = [due_in for due_in, is_won in pauses if not is_won]
    assert len(renewals) >= 2


async def test_the_work_waits_for_that_no_longer_than_a_lease_holds(
    api: KubernetesApi,
    election: Election,
    cluster: WatchedCluster,
    seconds: Seconds,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster.fail("POST", LEADERS, 503, times=1000)
    async with won(election):
        assert 10 <= seconds.now < 20
        await api.create_pod(pod("plain"))
    assert annotations(cluster, "plain") == {"note": "kept"}
    assert "what the network delivers late is not refused" in caplog.text


@pytest.mark.parametrize(("holder", "is_waited_for"), [(None, True), ("gone", True), ("", False)])
async def test_who_takes_a_lease_that_was_not_given_back_begins_when_the_news_has_spread(
    api: KubernetesApi,
    election: Election,
    pauses: list[tuple[float, bool]],
    holder: str | None,
    is_waited_for: bool,
) -> None:
    """Else it would miss what the API server still lets the former leader write."""
    if holder is not None:
        await api.create_lease(LEASE, held_by(holder, 10, None, build.CREATED))
    async with won(election):
        assert ((Terms(10).settling, False) in pauses) == is_waited_for


async def test_who_resigns_while_the_news_spreads_does_not_begin(
    election: Election, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resign(_: Election, __: float) -> None:
        await election.resign()

    monkeypatch.setattr(Election, "_pause", resign)
    await election.run()
    assert not election.won.is_set()


async def test_a_leader_that_the_api_server_does_not_know_of_yet_goes_on_telling(
    api: KubernetesApi, election: Election, cluster: WatchedCluster
) -> None:
    cluster.fail("POST", "/pods", 403, message=REFUSAL)
    async with won(election):
        with pytest.raises(errors.NotLeadingError):
            await api.create_pod(pod("early"))
        await api.create_pod(pod("early"))
    assert annotations(cluster, "early")["trainingsandbox.dev/created-by"] == "one"


async def test_a_leader_that_an_api_server_never_hears_of_works_without_a_word(
    api: KubernetesApi,
    election: Election,
    cluster: WatchedCluster,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(kubernetes_api, "_NEWS_SECONDS", 0)
    cluster.fail("POST", "/pods", 403, message=REFUSAL)
    async with won(election):
        with pytest.raises(errors.NotLeadingError):
            await api.create_pod(pod("plain"))
        await api.create_pod(pod("plain"))
    assert annotations(cluster, "plain") == {"note": "kept"}
    assert "the API server does not know of this leader" in caplog.text
