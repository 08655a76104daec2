"""The synchronous sandbox: from threads, inside event loops, after forks."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from training_sandbox import InvalidRequest, TrainingSandbox

if TYPE_CHECKING:
    from tests.client.support.stub_server import StubServer

ACTION = {"role": "assistant", "content": "```python\nprint('hello appworld!!')\n```"}


def test_the_tutorial_works_without_a_block(endpoint: str) -> None:
    box = TrainingSandbox(endpoint=endpoint)
    profile_list = box.get_env_profile(env_type="appworld", split="train")
    init_response = box.create_instance(env_type="appworld", task_id=profile_list[0])
    instance_id = init_response["info"]["instance_id"]
    assert [message["role"] for message in init_response["state"]] == ["system", "user"]
    result = box.step(instance_id=instance_id, action=ACTION)
    assert result["is_terminated"] is False
    assert box.evaluate(instance_id, messages={}, params={"sparse": False}) == 0.5
    assert box.release_instance(instance_id)
    box.close()


def test_sixteen_threads_play_their_episodes_at_once(
    sync_box: TrainingSandbox, server: StubServer
) -> None:
    together = threading.Barrier(16)

    def play(number: int) -> list[object]:
        with sync_box.episode("task_1") as episode:
            together.wait()
            for step in range(5):
                episode.step(f"{number}.{step}")
            return server.executed(episode.instance_id)

    with ThreadPoolExecutor(16) as pool:
        played = list(pool.map(play, range(16)))
    assert played == [[f"{number}.{step}" for step in range(5)] for number in range(16)]


async def test_it_works_inside_a_running_event_loop(sync_box: TrainingSandbox) -> None:
    assert asyncio.get_running_loop().is_running()
    assert sync_box.get_task_ids() == ["task_1", "task_2"]


def test_an_episode_keeps_the_conversation_and_the_reward(sync_box: TrainingSandbox) -> None:
    with sync_box.episode("task_1") as episode:
        episode.step("think")
        assert (episode.reward, episode.is_terminated) == (None, False)
        episode.step("done")
        assert [message["content"] for message in episode.messages] == [
            "You are an agent.",
            "Do the task.",
            "think",
            "seen: think",
            "done",
            "seen: done",
        ]
        assert (episode.reward, episode.is_terminated) == (1.0, True)
        assert episode.evaluate() == 0.5
        assert episode.reward == 0.5


def test_leaving_an_episode_releases_it(sync_box: TrainingSandbox, server: StubServer) -> None:
    with pytest.raises(ZeroDivisionError), sync_box.episode("task_1") as episode:
        raise ZeroDivisionError
    assert server.episodes[episode.instance_id].released


def test_an_episode_that_is_gone_already_does_not_hide_the_error(
    sync_box: TrainingSandbox, server: StubServer
) -> None:
    server.misbehave("release", lambda stub: stub.error(410, "episode_lost"))
    with pytest.raises(ZeroDivisionError), sync_box.episode("task_1"):
        raise ZeroDivisionError


def test_closing_twice_is_closing_once(endpoint: str) -> None:
    box = TrainingSandbox(endpoint=endpoint)
    box.start()
    box.close()
    box.close()
    with pytest.raises(InvalidRequest, match="closed"):
        box.status()


def test_a_sandbox_that_was_never_started_can_be_closed(endpoint: str) -> None:
    TrainingSandbox(endpoint=endpoint).close()


def test_closing_ends_the_thread(endpoint: str) -> None:
    before = set(threading.enumerate())
    with TrainingSandbox(endpoint=endpoint):
        (thread,) = set(threading.enumerate()) - before
    thread.join(timeout=10)
    assert not thread.is_alive()


def test_a_forked_child_is_told_that_the_sandbox_is_its_parents(sync_box: TrainingSandbox) -> None:
    sync_box.start()
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            sync_box.status()
        except InvalidRequest as error:
            os.write(writer, str(error).encode())
        sync_box.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert b"forked" in os.read(reader, 1000)
    assert sync_box.get_task_ids() == ["task_1", "task_2"]
