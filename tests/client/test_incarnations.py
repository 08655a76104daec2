"""A server that was started anew is never taken for the one that held an episode."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from training_sandbox import AsyncEpisode, AsyncTrainingSandbox, EpisodeLost

if TYPE_CHECKING:
    from tests.client.support.stub_server import StubServer

PLAYING = {
    "step": lambda episode: episode.step("a"),
    "evaluate": lambda episode: episode.evaluate(),
    "fork": lambda episode: episode.fork(1),
    "trajectory": lambda episode: episode.trajectory(),
}


@pytest.fixture
async def episode(box: AsyncTrainingSandbox) -> AsyncEpisode:
    return await box.episode("task_1", instance_id="shared")


async def test_every_verb_of_an_episode_says_which_incarnation_is_meant(
    episode: AsyncEpisode, server: StubServer
) -> None:
    for call in PLAYING.values():
        await call(episode)
    await episode.release()
    assert dict(server.expected_incarnations) == {
        "create": None,
        "step": "pod-0",
        "evaluate": "pod-0",
        "fork": "pod-0",
        "trajectory": "pod-0",
        "release": "pod-0",
    }


@pytest.mark.parametrize("verb", PLAYING)
async def test_an_episode_of_the_same_id_in_another_incarnation_is_not_answered_for(
    episode: AsyncEpisode, endpoint: str, server: StubServer, verb: str
) -> None:
    server.restart()
    async with AsyncTrainingSandbox(endpoint=endpoint) as other:
        theirs = await other.episode("task_1", instance_id="shared")
        with pytest.raises(EpisodeLost):
            await asyncio.ensure_future(PLAYING[verb](episode))
        assert await episode.release() is False
        assert not server.episodes["shared"].released
        await theirs.step("theirs")
    assert server.executed("shared") == ["theirs"]


async def test_branches_and_groups_belong_to_the_incarnation_that_made_them(
    episode: AsyncEpisode, box: AsyncTrainingSandbox, server: StubServer
) -> None:
    made = [*await episode.fork(1), *await box.create_group("task_1", 1)]
    server.restart()
    for lost in made:
        with pytest.raises(EpisodeLost):
            await lost.step("a")


async def test_the_id_of_a_lost_episode_can_be_used_again(
    episode: AsyncEpisode, box: AsyncTrainingSandbox, server: StubServer
) -> None:
    await episode.step("a")
    server.restart()
    with pytest.raises(EpisodeLost):
        await episode.step("b")
    again = await box.episode("task_1", instance_id="shared")
    await again.step("c")
    assert server.executed("shared") == ["c"]


async def test_the_id_of_an_episode_whose_process_died_can_be_used_again(
    episode: AsyncEpisode, box: AsyncTrainingSandbox, server: StubServer
) -> None:
    await episode.step("a")
    server.misbehave("step", lambda stub: stub.error(410, "episode_lost"))
    with pytest.raises(EpisodeLost):
        await episode.step("b")
    del server.episodes["shared"]
    again = await box.episode("task_1", instance_id="shared")
    await again.step("c")
    assert server.executed("shared") == ["c"]
