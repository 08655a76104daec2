"""A step is executed once, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.client.support.cutting_proxy import Cut, CuttingProxy
from training_sandbox import AsyncTrainingSandbox, CallTimedOut, OutOfOrder

if TYPE_CHECKING:
    from tests.client.support.stub_server import StubServer


async def opened(box: AsyncTrainingSandbox, **arguments: str) -> str:
    created = await box.create_instance(task_id="task_1", **arguments)
    return created["info"]["instance_id"]


@pytest.mark.parametrize("cut", Cut)
async def test_a_step_whose_connection_dies_is_executed_once(
    fragile_box: AsyncTrainingSandbox, proxy: CuttingProxy, server: StubServer, cut: Cut
) -> None:
    episode = await opened(fragile_box)
    proxy.cut_next(cut)
    result = await fragile_box.step(episode, "a")
    assert result["state"][0]["content"] == "seen: a"
    assert server.executed(episode) == ["a"]


@pytest.mark.parametrize("cut", [Cut.BEFORE_ANSWER, Cut.IN_ANSWER])
async def test_an_episode_whose_creation_was_not_answered_is_created_once(
    fragile_box: AsyncTrainingSandbox, proxy: CuttingProxy, server: StubServer, cut: Cut
) -> None:
    proxy.cut_next(cut, cut)
    await opened(fragile_box)
    assert len(server.episodes) == 1


async def test_steps_after_a_lost_answer_go_on_in_order(
    fragile_box: AsyncTrainingSandbox, proxy: CuttingProxy, server: StubServer
) -> None:
    episode = await opened(fragile_box)
    for action in ("a", "b", "c", "d"):
        proxy.cut_next(Cut.BEFORE_ANSWER, Cut.BEFORE_REQUEST)
        await fragile_box.step(episode, action)
    assert server.executed(episode) == ["a", "b", "c", "d"]


async def test_a_step_that_was_given_up_can_be_sent_again(
    endpoint: str, server: StubServer
) -> None:
    async with AsyncTrainingSandbox(endpoint=endpoint, request_timeout=1) as box:
        episode = await opened(box)
        with server.holding_steps(), pytest.raises(CallTimedOut):
            await box.step(episode, "a")
        result = await box.step(episode, "a")
    assert result["state"][0]["content"] == "seen: a"
    assert server.executed(episode) == ["a"]


async def test_another_action_is_not_sent_while_an_answer_is_missing(
    endpoint: str, server: StubServer
) -> None:
    async with AsyncTrainingSandbox(endpoint=endpoint, request_timeout=1) as box:
        episode = await opened(box)
        with server.holding_steps(), pytest.raises(CallTimedOut):
            await box.step(episode, "a")
        with pytest.raises(OutOfOrder, match="same action again"):
            await box.step(episode, "b")
    assert server.executed(episode) == ["a"]


async def test_a_cancelled_step_can_be_sent_again(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    episode = await opened(box)
    with server.holding_steps():
        task = asyncio.create_task(box.step(episode, "a"))
        await server.until_received("step")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await box.step(episode, "a")
    assert server.executed(episode) == ["a"]


async def test_steps_sent_at_once_are_executed_one_after_the_other(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    episode = await opened(box)
    actions = [str(number) for number in range(8)]
    results = await asyncio.gather(*(box.step(episode, action) for action in actions))
    assert [result["state"][0]["content"] for result in results] == [f"seen: {a}" for a in actions]
    assert server.executed(episode) == actions


async def test_an_episode_that_others_stepped_is_taken_up_where_it_stands(
    box: AsyncTrainingSandbox, endpoint: str, server: StubServer
) -> None:
    episode = await opened(box, instance_id="shared")
    await box.step(episode, "a")
    async with AsyncTrainingSandbox(endpoint=endpoint) as other:
        result = await other.step(episode, "b")
    assert result["state"][0]["content"] == "seen: b"
    assert server.executed(episode) == ["a", "b"]


async def test_a_step_of_somebody_else_in_between_is_noticed(
    box: AsyncTrainingSandbox, endpoint: str, server: StubServer
) -> None:
    episode = await opened(box)
    async with AsyncTrainingSandbox(endpoint=endpoint) as other:
        await other.step(episode, "theirs")
        await other.step(episode, "theirs too")
    with pytest.raises(OutOfOrder) as caught:
        await box.step(episode, "ours")
    assert caught.value.expected_step_index == 2
    await box.step(episode, "ours, knowing that")
    assert server.executed(episode) == ["theirs", "theirs too", "ours, knowing that"]


async def test_a_refused_step_does_not_count(box: AsyncTrainingSandbox, server: StubServer) -> None:
    episode = await opened(box)
    server.misbehave("step", lambda stub: stub.error(400, "invalid_request"))
    with pytest.raises(Exception, match="invalid_request"):
        await box.step(episode, "bad")
    await box.step(episode, "good")
    assert server.executed(episode) == ["good"]
