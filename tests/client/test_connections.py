"""Connections to a server: how many, when they are used again, by which way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from training_sandbox import AsyncTrainingSandbox, CallTimedOut

if TYPE_CHECKING:
    from tests.client.support.cutting_proxy import CuttingProxy
    from tests.client.support.stub_server import StubServer


async def test_calls_one_after_the_other_use_one_connection(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    async with box.episode("task_1") as episode:
        for number in range(10):
            await episode.step(str(number))
    assert len(server.connections) == 1


async def test_calls_at_once_have_a_connection_each_and_leave_it_to_later_ones(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    async with box.create_group("task_1", 8) as group:
        for number in range(10):
            await asyncio.gather(*(episode.step(str(number)) for episode in group))
        assert len(server.connections) == 8


async def test_a_connection_is_not_used_again_after_a_call_that_was_not_answered(
    endpoint: str, server: StubServer
) -> None:
    async with AsyncTrainingSandbox(endpoint=endpoint, request_timeout=1) as box:
        episode = await box.episode("task_1")
        with server.holding_steps(), pytest.raises(CallTimedOut):
            await episode.step("late")
        assert await box.get_tools_info() == "the tools"
        assert (await episode.step("late"))["state"][0]["content"] == "seen: late"


async def test_a_connection_that_was_closed_meanwhile_is_not_used(
    fragile_box: AsyncTrainingSandbox, proxy: CuttingProxy, caplog: pytest.LogCaptureFixture
) -> None:
    async def until_closed() -> None:
        await asyncio.to_thread(proxy.wait_until_closed)
        # The loop has yet to hear of it.
        await asyncio.sleep(0.1)

    with caplog.at_level("INFO", "training_sandbox"):
        async with fragile_box.episode("task_1") as episode:
            for number in range(3):
                await until_closed()
                await episode.step(str(number))
            await until_closed()
    assert "trying again" not in caplog.text


async def test_a_large_message_comes_through_whole(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    async with box.episode("task_1") as episode:
        action = "ä" * 1_000_000
        result = await episode.step(action)
    assert result["state"][0]["content"] == f"seen: {action}"


async def test_a_server_elsewhere_is_reached_through_the_proxy_of_the_environment(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", endpoint)
    async with AsyncTrainingSandbox(endpoint="http://sandbox.example:8000") as box:
        assert await box.get_tools_info() == "the tools"
