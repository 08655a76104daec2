"""A Kubernetes API that is away or overloaded for a while costs time, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest

from tests.client.support.stub_cluster import lost, refusal, throttled
from training_sandbox import (
    AsyncTrainingSandbox,
    ClusterUnavailable,
    InstanceExists,
    InstanceRejected,
    Unauthorized,
)
from training_sandbox import _creation as creation
from training_sandbox import _instance as instance
from training_sandbox import _readiness as readiness
from training_sandbox import _token as token

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from tests.client.support.stub_cluster import Object, StubCluster


def away() -> Response:
    return refusal(503, "apiserver is shutting down")


def overloaded() -> Response:
    return throttled(retry_after=0.01)


both_kinds = pytest.mark.parametrize("trouble", [away, overloaded])


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "RECONNECT_SECONDS", 0.01)
    monkeypatch.setattr(creation, "CREATE_SECONDS", 0.2)
    monkeypatch.setattr(creation, "DELETE_SECONDS", 2.0)
    monkeypatch.setattr(instance, "DELETE_SECONDS", 2.0)


@pytest.fixture
def booting(cluster: StubCluster) -> StubCluster:
    """The current cluster, where no instance becomes ready of itself."""
    cluster.reconcile = lambda resource: cluster.status(resource, "Starting", "False", "Booting")
    return cluster


@both_kinds
async def test_the_wait_for_ready_outlasts_the_api(
    booting: StubCluster, trouble: Callable[[], Response]
) -> None:
    starting = asyncio.create_task(AsyncTrainingSandbox(name="mine", ready_timeout=60).start())
    await booting.until_created()
    booting.misbehave("watch", *(trouble() for _ in range(3)))
    booting.misbehave("get", *(trouble() for _ in range(3)))
    booting.end_watches()
    while booting.still_to_misbehave("get"):  # noqa: ASYNC110 (changed by another thread)
        await asyncio.sleep(0.01)
    booting.ready(booting.objects["mine"])
    await starting


async def test_a_wait_that_ends_while_the_api_is_away_says_so_and_where_it_stood(
    booting: StubCluster,
) -> None:
    booting.misbehave("watch", *(away() for _ in range(1000)))
    booting.misbehave("get", *(away() for _ in range(1000)))
    with pytest.raises(ClusterUnavailable, match=r"mine.*last Pending.*shutting down"):
        await AsyncTrainingSandbox(name="mine", ready_timeout=0.5).start()
    assert not booting.objects


async def test_a_watch_from_a_version_that_is_forgotten_begins_anew(booting: StubCluster) -> None:
    booting.misbehave("watch", refusal(410, "too old resource version"))
    starting = asyncio.create_task(AsyncTrainingSandbox(name="mine", ready_timeout=60).start())
    await booting.until_created()
    booting.ready(booting.objects["mine"])
    await starting


@both_kinds
async def test_the_first_token_is_read_as_soon_as_the_api_lets(
    cluster: StubCluster, trouble: Callable[[], Response]
) -> None:
    cluster.secrets["s"] = "first.token"
    cluster.misbehave("secret", trouble(), trouble())
    cluster.reconcile = lambda resource: cluster.status(
        *(resource, "Ready", "True", "ServerReady"),
        endpoint="http://127.0.0.1:9",
        tokenSecret="s",
    )
    async with AsyncTrainingSandbox():
        assert cluster.secrets_read == 3


async def test_a_token_that_cannot_be_read_for_long_is_given_up(
    cluster: StubCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token, "FIRST_SECONDS", 0.2)
    cluster.misbehave("secret", *(away() for _ in range(100)))
    cluster.reconcile = lambda resource: cluster.status(
        *(resource, "Ready", "True", "ServerReady"),
        endpoint="http://127.0.0.1:9",
        tokenSecret="s",
    )
    with pytest.raises(ClusterUnavailable, match="shutting down"):
        await AsyncTrainingSandbox().start()
    assert not cluster.objects


@both_kinds
async def test_the_deletion_is_asked_for_until_the_api_answers(
    cluster: StubCluster, trouble: Callable[[], Response]
) -> None:
    async with AsyncTrainingSandbox():
        cluster.misbehave("delete", trouble(), trouble())
    assert not cluster.objects


async def test_what_could_not_be_deleted_at_the_stop_is_deleted_at_the_end(
    cluster: StubCluster, caplog: pytest.LogCaptureFixture
) -> None:
    box = AsyncTrainingSandbox(name="mine")
    await box.start()
    cluster.misbehave("delete", throttled(retry_after=3600))
    await box.close()
    assert "mine could not be deleted" in caplog.text
    assert "mine" in cluster.objects
    del box
    await asyncio.to_thread(gc.collect)
    assert not cluster.objects


@pytest.mark.parametrize("answer", [lost, away], ids=["lost", "away"])
async def test_a_creation_without_an_answer_creates_one_instance(
    cluster: StubCluster, answer: Callable[[], Response]
) -> None:
    cluster.answers_of_creation.append(answer())
    async with AsyncTrainingSandbox(name="mine"):
        assert list(cluster.objects) == ["mine"]
    assert not cluster.objects


@both_kinds
async def test_a_creation_that_the_api_puts_off_is_sent_again(
    cluster: StubCluster, trouble: Callable[[], Response]
) -> None:
    cluster.misbehave("create", trouble(), trouble())
    async with AsyncTrainingSandbox(name="mine"):
        assert "mine" in cluster.objects


async def test_a_creation_without_an_answer_is_found_though_it_used_up_the_quota(
    cluster: StubCluster,
) -> None:
    def ready(resource: Object) -> None:
        cluster.ready(resource)
        cluster.misbehave("create", refusal(403, "exceeded quota"))

    cluster.reconcile = ready
    cluster.answers_of_creation.append(away())
    async with AsyncTrainingSandbox(name="mine"):
        assert list(cluster.objects) == ["mine"]


async def test_a_creation_given_up_leaves_no_instance(cluster: StubCluster) -> None:
    cluster.answers_of_creation.append(away())
    cluster.misbehave("get", *(away() for _ in range(4)))
    with pytest.raises(ClusterUnavailable, match="shutting down"):
        await AsyncTrainingSandbox(name="mine").start()
    assert not cluster.objects


async def test_a_creation_given_up_that_cannot_be_taken_back_is_named(
    cluster: StubCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(creation, "DELETE_SECONDS", 0.3)
    cluster.answers_of_creation.append(away())
    cluster.misbehave("get", *(away() for _ in range(100)))
    with pytest.raises(ClusterUnavailable):
        await AsyncTrainingSandbox(name="mine").start()
    assert "mine could not be deleted" in caplog.text


async def test_whose_the_name_is_is_found_out_though_the_api_is_away_meanwhile(
    cluster: StubCluster,
) -> None:
    async with AsyncTrainingSandbox(name="mine"):
        cluster.misbehave("get", away())
        with pytest.raises(InstanceExists):
            await AsyncTrainingSandbox(name="mine").start()
        assert "mine" in cluster.objects


async def test_a_creation_given_up_does_not_delete_anothers_instance(cluster: StubCluster) -> None:
    async with AsyncTrainingSandbox(name="mine"):
        cluster.misbehave("get", *(away() for _ in range(4)))
        with pytest.raises(ClusterUnavailable):
            await AsyncTrainingSandbox(name="mine").start()
        assert "mine" in cluster.objects


async def test_a_refusal_is_not_asked_for_again(cluster: StubCluster) -> None:
    cluster.misbehave("create", refusal(422, "no"), refusal(422, "no"))
    with pytest.raises(InstanceRejected):
        await AsyncTrainingSandbox().start()
    assert cluster.still_to_misbehave("create") == 1


async def test_who_may_not_read_secrets_does_not_cut_off_the_others(cluster: StubCluster) -> None:
    cluster.reconcile = lambda _: None
    waiting = asyncio.create_task(AsyncTrainingSandbox(name="a", ready_timeout=60).start())
    await cluster.until_watched()
    cluster.forbids_secrets = True
    cluster.reconcile = lambda resource: cluster.status(
        *(resource, "Ready", "True", "ServerReady"), endpoint="http://127.0.0.1:9", tokenSecret="s"
    )
    with pytest.raises(Unauthorized):
        await AsyncTrainingSandbox(name="b").start()
    cluster.ready(cluster.objects["a"])
    await waiting
    assert cluster.secrets_read == 1
    assert cluster.watches == 2


async def test_credentials_that_expired_are_read_anew_for_a_request(cluster: StubCluster) -> None:
    async with AsyncTrainingSandbox():
        cluster.rotate_token("second")
    assert not cluster.objects
