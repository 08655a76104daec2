"""The client shows a server its token, finds the next one, and keeps it to itself."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
from functools import partial
from typing import TYPE_CHECKING

import pytest

from training_sandbox import (
    AsyncTrainingSandbox,
    EpisodeLost,
    InstanceLost,
    InvalidRequest,
    TrainingSandbox,
    Unauthorized,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.conftest import Outcome
    from tests.client.support.stub_cluster import Object, StubCluster
    from tests.client.support.stub_server import StubServer

TOKEN, NEXT_TOKEN = "eyJ.first.token", "eyJ.second.token"
ACTION = {"role": "assistant", "content": "act"}


@pytest.fixture
def guarded(cluster: StubCluster, server: StubServer) -> StubCluster:
    """The current cluster, whose servers want tokens; Secrets ``NAME-token`` have them."""

    def ready(resource: Object) -> None:
        name = resource["metadata"]["name"]
        cluster.secrets[f"{name}-token"] = TOKEN
        cluster.status(
            resource,
            *("Ready", "True", "ServerReady"),
            endpoint="http://127.0.0.1:9",
            tokenSecret=f"{name}-token",
        )

    cluster.reconcile = ready
    server.token = TOKEN
    return cluster


async def test_an_instance_is_called_with_the_token_in_its_secret(
    guarded: StubCluster, server: StubServer
) -> None:
    async with AsyncTrainingSandbox(name="mine") as box:
        await box.get_env_profile()
        await box.get_tools_info()
    assert set(server.authorizations) == {f"Bearer {TOKEN}"}
    assert guarded.secrets_read == 1


async def test_a_server_that_wants_none_is_sent_none(
    cluster: StubCluster, server: StubServer
) -> None:
    async with AsyncTrainingSandbox() as box:
        await box.get_env_profile()
    assert server.authorizations == [None]
    assert cluster.secrets_read == 0


async def test_who_may_not_read_the_secret_is_told_which_right_is_lacking(
    guarded: StubCluster,
) -> None:
    guarded.forbids_secrets = True
    with pytest.raises(Unauthorized, match=r"Secret ns/mine-token.*verb get.*mine-token"):
        async with AsyncTrainingSandbox(name="mine"):
            pass
    assert not guarded.objects


async def test_a_secret_that_is_being_made_again_is_awaited(guarded: StubCluster) -> None:
    ready = guarded.reconcile

    def later(resource: Object) -> None:
        ready(resource)
        token = guarded.secrets.pop("mine-token")
        asyncio.get_running_loop().call_later(
            0.3, partial(guarded.secrets.update, {"mine-token": token})
        )

    guarded.reconcile = later
    async with AsyncTrainingSandbox(name="mine") as box:
        assert await box.get_env_profile()


async def test_after_a_restart_the_next_token_is_read_and_episodes_are_lost(
    guarded: StubCluster, server: StubServer
) -> None:
    async with AsyncTrainingSandbox(name="mine") as box:
        created = await box.create_instance(task_id="task_1")
        server.restart()
        server.token = guarded.secrets["mine-token"] = NEXT_TOKEN
        with pytest.raises(EpisodeLost):
            await box.step(created["info"]["instance_id"], ACTION)
        again = await box.create_instance(task_id="task_1")
        await box.step(again["info"]["instance_id"], ACTION)


async def test_the_next_token_is_awaited_where_the_operator_is_slower_than_the_server(
    guarded: StubCluster, server: StubServer
) -> None:
    async with AsyncTrainingSandbox(name="mine") as box:
        await box.get_env_profile()
        server.restart()
        server.token = NEXT_TOKEN
        asyncio.get_running_loop().call_later(
            0.7, partial(guarded.secrets.update, {"mine-token": NEXT_TOKEN})
        )
        await asyncio.gather(*(box.get_env_profile() for _ in range(5)))


async def test_a_token_that_is_never_taken_is_an_error_and_no_reward(
    guarded: StubCluster, server: StubServer
) -> None:
    async with AsyncTrainingSandbox(name="mine", request_timeout=2) as box:
        created = await box.create_instance(task_id="task_1")
        server.token = NEXT_TOKEN
        with pytest.raises(Unauthorized):
            await box.evaluate(created["info"]["instance_id"])
        server.token = TOKEN
        assert await box.evaluate(created["info"]["instance_id"]) == 0.5


async def test_why_an_instance_is_gone_is_told_rather_than_that_its_token_is(
    guarded: StubCluster, server: StubServer
) -> None:
    async with AsyncTrainingSandbox(name="mine") as box:
        created = await box.create_instance(task_id="task_1")
        server.token = NEXT_TOKEN
        guarded.delete("mine")
        with pytest.raises(InstanceLost):
            await box.step(created["info"]["instance_id"], ACTION)


@pytest.mark.parametrize("way", ["argument", "variable"])
async def test_a_server_at_an_endpoint_is_called_with_the_token_that_is_given(
    endpoint: str, server: StubServer, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    server.token = TOKEN
    if way == "variable":
        monkeypatch.setenv("TRAINING_SANDBOX_TOKEN", f"{TOKEN}\n")
    token = TOKEN if way == "argument" else None
    async with AsyncTrainingSandbox(endpoint=endpoint, token=token) as box:
        assert await box.get_env_profile()


@pytest.mark.parametrize(
    ("token", "told"), [(None, "without a token"), ("another", "does not take this token")]
)
def test_at_an_endpoint_a_token_that_lacks_is_asked_for_by_its_names(
    endpoint: str, server: StubServer, token: str | None, told: str
) -> None:
    server.token = TOKEN
    with (
        TrainingSandbox(endpoint=endpoint, token=token) as box,
        pytest.raises(Unauthorized, match=f"{told}.*token=.*TRAINING_SANDBOX_TOKEN"),
    ):
        box.get_env_profile()


def test_the_command_takes_the_token_from_the_environment(
    endpoint: str,
    server: StubServer,
    monkeypatch: pytest.MonkeyPatch,
    tsb: Callable[..., Outcome],
) -> None:
    server.token = TOKEN
    refused = tsb("tasks", "--endpoint", endpoint)
    assert "TRAINING_SANDBOX_TOKEN" in refused.stderr
    monkeypatch.setenv("TRAINING_SANDBOX_TOKEN", TOKEN)
    assert tsb("tasks", "--endpoint", endpoint).stdout.split() == ["task_1", "task_2"]


def test_a_token_without_an_endpoint_is_a_mistake() -> None:
    with pytest.raises(InvalidRequest, match="token: of the server at an endpoint"):
        TrainingSandbox(token=TOKEN)


@pytest.mark.parametrize("token", ["two words", "a\r\nHost: b", "ключ"])
def test_what_is_no_token_is_refused_without_being_repeated(token: str) -> None:
    with pytest.raises(InvalidRequest, match="no bearer token") as raised:
        TrainingSandbox(endpoint="http://127.0.0.1:9", token=token)
    assert token not in str(raised.value)


async def test_no_token_is_logged_shown_or_in_an_error(
    guarded: StubCluster, server: StubServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with AsyncTrainingSandbox(name="mine", request_timeout=1) as box:
        await box.get_env_profile()
        shown = f"{box!r} {box._session.__dict__} {box._session._server!r}"
        server.token = NEXT_TOKEN
        with pytest.raises(Unauthorized) as raised:
            await box.get_env_profile()
        told = "".join(traceback.format_exception(raised.value)) + str(raised.value.details)
    assert "first.token" not in caplog.text + shown + told
    assert b"first.token" not in pickle.dumps(raised.value)
