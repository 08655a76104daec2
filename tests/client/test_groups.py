"""Groups of episodes and branches: all or none, made once, gone with their block."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.client.support.cutting_proxy import Cut, CuttingProxy
from training_sandbox import (
    AsyncEpisode,
    AsyncTrainingSandbox,
    CallTimedOut,
    ConnectionFailed,
    EpisodeExists,
    InvalidAnswer,
    OutOfOrder,
    SandboxFull,
    TrainingSandbox,
    UnknownTask,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.client.support.stub_server import StubServer


@pytest.fixture
async def episode(fragile_box: AsyncTrainingSandbox) -> AsyncIterator[AsyncEpisode]:
    """An episode that has made one step, behind the proxy that can cut connections."""
    async with fragile_box.episode("task_1") as opened:
        await opened.step("first")
        yield opened


def unreleased(server: StubServer) -> list[str]:
    return [name for name, episode in server.episodes.items() if not episode.released]


async def test_a_group_is_episodes_of_one_task(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    async with box.create_group("task_1", 4) as group:
        assert len({episode.instance_id for episode in group}) == 4
        for number, episode in enumerate(group):
            await episode.step(str(number))
        assert [server.executed(it.instance_id) for it in group] == [["0"], ["1"], ["2"], ["3"]]
        assert {episode.task_id for episode in group} == {"task_1"}


async def test_leaving_a_group_releases_all_of_it(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with box.create_group("task_1", 40):
            raise ZeroDivisionError
    assert len(server.episodes) == 40
    assert not unreleased(server)


async def test_a_group_waits_until_there_is_room_for_all_of_it(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    server.slots = 2
    first = await box.episode("task_1")
    opening = asyncio.ensure_future(box.create_group("task_1", 2))
    await server.until_received("create_group")
    await first.release()
    assert len(await opening) == 2


async def test_a_group_for_which_there_is_no_room_is_none_at_all(
    endpoint: str, server: StubServer
) -> None:
    server.slots = 3
    async with AsyncTrainingSandbox(endpoint=endpoint, request_timeout=3) as box:
        with pytest.raises(SandboxFull):
            await box.create_group("task_1", 4)
    assert not server.episodes


async def test_a_group_of_an_unknown_task_is_refused(box: AsyncTrainingSandbox) -> None:
    with pytest.raises(UnknownTask):
        await box.create_group("nonesuch", 2)


async def test_a_group_of_given_ids_is_the_same_when_it_is_asked_for_again(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    first = await box.create_group("task_1", 2, instance_ids=["a", "b"])
    await first[0].step("once")
    again = await box.create_group("task_1", 2, instance_ids=["a", "b"])
    await again[0].step("twice")
    assert server.executed("a") == ["once", "twice"]
    with pytest.raises(EpisodeExists):
        await box.create_group("task_2", 2, instance_ids=["a", "b"])


@pytest.mark.parametrize("cut", [Cut.BEFORE_ANSWER, Cut.IN_ANSWER, Cut.SILENT])
async def test_a_group_whose_answer_is_lost_is_made_once(
    fragile_box: AsyncTrainingSandbox, proxy: CuttingProxy, server: StubServer, cut: Cut
) -> None:
    proxy.cut_next(cut)
    async with fragile_box.create_group("task_1", 3) as group:
        assert set(server.episodes) == {episode.instance_id for episode in group}


@pytest.mark.parametrize("make", ["create", "create_group"])
async def test_what_may_have_been_made_is_released_when_it_is_given_up(
    fragile_box: AsyncTrainingSandbox, proxy: CuttingProxy, server: StubServer, make: str
) -> None:
    server.misbehave(make, *[lambda stub: stub.data({"episodes": "garbled"})] * 2)
    opening = {
        "create": fragile_box.episode("task_1"),
        "create_group": fragile_box.create_group("task_1", 3),
    }[make]
    with pytest.raises(InvalidAnswer):
        await opening
    sent = server.sent(make)[0]
    assert {body["instance_id"] for body in server.sent("release")} == set(
        sent.get("instance_ids") or [sent["instance_id"]]
    )


async def test_a_group_that_took_too_long_is_released(endpoint: str, server: StubServer) -> None:
    async with AsyncTrainingSandbox(endpoint=endpoint, request_timeout=1) as box:
        with server.holding_steps(), pytest.raises(CallTimedOut):
            await box.create_group("task_1", 3)
    assert len(server.episodes) == 3
    assert not unreleased(server)


async def test_a_group_whose_creation_is_cancelled_is_released(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    with server.holding_steps():
        opening = asyncio.ensure_future(box.create_group("task_1", 3))
        await server.until_received("create_group")
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    assert len(server.episodes) == 3
    assert not unreleased(server)


async def test_an_episode_of_the_callers_own_id_is_kept_for_the_caller_to_ask_again(
    fragile_box: AsyncTrainingSandbox, proxy: CuttingProxy, server: StubServer
) -> None:
    proxy.cut_next(*[Cut.BEFORE_ANSWER] * 100)
    with pytest.raises((ConnectionFailed, CallTimedOut)):
        await fragile_box.episode("task_1", instance_id="mine")
    assert unreleased(server) == ["mine"]


async def test_branches_go_on_from_where_the_episode_stands(
    episode: AsyncEpisode, server: StubServer
) -> None:
    async with episode.fork(2) as branches:
        await branches[0].step("left")
        await branches[1].step("right")
        await episode.step("on")
        played = [server.executed(it.instance_id) for it in (*branches, episode)]
        assert played == [["first", "left"], ["first", "right"], ["first", "on"]]
        assert [message["content"] for message in branches[1].messages[2:]] == [
            "first",
            "seen: first",
            "right",
            "seen: right",
        ]
    assert unreleased(server) == [episode.instance_id]


async def test_branches_can_be_forked_again(episode: AsyncEpisode, server: StubServer) -> None:
    (child,) = await episode.fork(1)
    await child.step("second")
    (grandchild,) = await child.fork(1)
    await grandchild.step("third")
    assert server.executed(grandchild.instance_id) == ["first", "second", "third"]


async def test_branches_are_reseeded_if_that_is_asked_for(
    episode: AsyncEpisode, server: StubServer
) -> None:
    await episode.fork(1)
    await episode.fork(1, reseed=True)
    assert [body["reseed"] for body in server.sent("fork")] == [False, True]


@pytest.mark.parametrize("cut", [Cut.BEFORE_ANSWER, Cut.IN_ANSWER, Cut.SILENT])
async def test_branches_whose_answer_is_lost_are_made_once(
    episode: AsyncEpisode, proxy: CuttingProxy, server: StubServer, cut: Cut
) -> None:
    proxy.cut_next(cut)
    branches = await episode.fork(3)
    assert set(server.episodes) == {it.instance_id for it in (episode, *branches)}


async def test_branches_that_are_given_up_are_released(
    episode: AsyncEpisode, server: StubServer
) -> None:
    server.misbehave("fork", lambda stub: stub.data({"episodes": []}))
    with pytest.raises(InvalidAnswer):
        await episode.fork(2)
    names = server.sent("fork")[0]["instance_ids"]
    assert {body["instance_id"] for body in server.sent("release")} == set(names)


async def test_a_fork_takes_its_turn_among_the_steps(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    async with box.episode("task_1") as episode:
        with server.holding_steps():
            step = asyncio.create_task(episode.step("first"))
            await server.until_received("step")
            fork = asyncio.ensure_future(episode.fork(1))
            later = asyncio.create_task(episode.step("second"))
            await asyncio.sleep(0)
        (branch,) = await fork
        await asyncio.gather(step, later)
    assert [message["content"] for message in branch.messages[2:]] == ["first", "seen: first"]
    assert server.executed(branch.instance_id) == ["first"]


async def test_an_episode_whose_last_answer_is_missing_is_not_forked(
    endpoint: str, server: StubServer
) -> None:
    async with AsyncTrainingSandbox(endpoint=endpoint, request_timeout=1) as box:
        episode = await box.episode("task_1")
        with server.holding_steps(), pytest.raises(CallTimedOut):
            await episode.step("first")
        with pytest.raises(OutOfOrder, match="same action again"):
            await episode.fork(2)
        await episode.step("first")
        (branch,) = await episode.fork(1)
    assert server.executed(branch.instance_id) == ["first"]


async def test_tasks_are_announced_with_their_params(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    await box.prepare(["task_1", "task_2"], params={"seed": 1})
    (body,) = server.sent("prepare")
    assert (body["task_ids"], body["params"]) == (["task_1", "task_2"], {"seed": 1})


def test_the_synchronous_sandbox_has_groups_and_branches_too(
    sync_box: TrainingSandbox, server: StubServer
) -> None:
    sync_box.prepare(["task_1"])
    with sync_box.create_group("task_1", 2) as group, group[0].fork(2, reseed=True) as branches:
        for episode in (*group, *branches):
            episode.step("a")
        assert [record["type"] for record in branches[0].trajectory()] == ["episode", "step"]
        assert branches[0].trajectory_jsonl().count("\n") == 2
    assert len(server.episodes) == 4
    assert not unreleased(server)
