"""What happened in an episode, as the client reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from starlette.responses import PlainTextResponse, Response

from training_sandbox import AsyncTrainingSandbox, EpisodeNotFound, InvalidAnswer

if TYPE_CHECKING:
    from tests.client.support.stub_server import StubServer


async def test_a_trajectory_is_its_records_in_order(box: AsyncTrainingSandbox) -> None:
    async with box.episode("task_1", params={"seed": 1}) as episode:
        await episode.step("a")
        await episode.step("b")
        start, *steps = await episode.trajectory()
    assert (start["type"], start["task_id"], start["params"]) == ("episode", "task_1", {"seed": 1})
    assert [step["action"]["content"] for step in steps] == ["a", "b"]


async def test_the_lines_can_be_had_as_they_are(box: AsyncTrainingSandbox) -> None:
    async with box.episode("task_1") as episode:
        await episode.step("a line's end for Unicode: \u2028, and \u0085")
        text = await episode.trajectory_jsonl()
        assert await episode.trajectory() == [json.loads(line) for line in text.split("\n") if line]


async def test_a_trajectory_of_an_unknown_episode_is_an_error(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    async with box.episode("task_1") as episode:
        server.episodes.clear()
        with pytest.raises(EpisodeNotFound):
            await episode.trajectory()


async def test_a_trajectory_is_asked_for_again_when_its_answer_is_lost(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    async with box.episode("task_1") as episode:
        server.misbehave("trajectory", lambda _: PlainTextResponse("Bad Gateway", 502))
        assert len(await episode.trajectory()) == 1


@pytest.mark.parametrize("content", ["", "{}\n", "[1]\n", '{"type": "step"}\n', "no JSON\n"])
async def test_what_is_no_trajectory_is_an_error(
    box: AsyncTrainingSandbox, server: StubServer, content: str
) -> None:
    def answer(_: StubServer) -> Response:
        return Response(content, media_type="application/x-ndjson")

    server.misbehave("trajectory", answer)
    async with box.episode("task_1") as episode:
        with pytest.raises(InvalidAnswer):
            await episode.trajectory()
