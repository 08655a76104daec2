"""The verbs as the reference tutorial has them: signatures and answers."""

from __future__ import annotations

import pytest

from tests.client.support.stub_server import FIRST_MESSAGES, StubServer
from training_sandbox import (
    AsyncTrainingSandbox,
    EpisodeExists,
    EpisodeReleased,
    InvalidAnswer,
    InvalidRequest,
    UnknownSplit,
    UnknownTask,
)

HELLO = {"role": "assistant", "content": "```python\nprint('hello')\n```"}


async def test_the_profile_of_a_split_is_the_list_of_its_task_ids(
    box: AsyncTrainingSandbox,
) -> None:
    assert await box.get_env_profile(env_type="appworld", split="train") == ["task_1", "task_2"]
    assert await box.get_task_ids("appworld", "dev") == ["task_3"]


async def test_an_unknown_split_is_named_as_such(box: AsyncTrainingSandbox) -> None:
    with pytest.raises(UnknownSplit):
        await box.get_env_profile(split="nonesuch")


async def test_create_gives_the_first_messages_and_the_episodes_id(
    box: AsyncTrainingSandbox,
) -> None:
    created = await box.create_instance(env_type="appworld", task_id="task_1")
    assert created["state"] == FIRST_MESSAGES
    assert created["info"]["task_id"] == "task_1"
    assert created["info"]["instance_id"]


async def test_two_episodes_of_one_task_have_different_ids(box: AsyncTrainingSandbox) -> None:
    first = await box.create_instance(task_id="task_1")
    second = await box.create_instance(task_id="task_1")
    assert first["info"]["instance_id"] != second["info"]["instance_id"]


async def test_an_id_of_the_callers_is_kept(box: AsyncTrainingSandbox) -> None:
    created = await box.create_instance(task_id="task_1", instance_id="mine")
    assert created["info"]["instance_id"] == "mine"


async def test_an_id_that_is_taken_with_other_arguments_is_refused(
    box: AsyncTrainingSandbox,
) -> None:
    await box.create_instance(task_id="task_1", instance_id="mine")
    with pytest.raises(EpisodeExists):
        await box.create_instance(task_id="task_2", instance_id="mine")


async def test_an_unknown_task_is_named_as_such(box: AsyncTrainingSandbox) -> None:
    with pytest.raises(UnknownTask):
        await box.create_instance(task_id="nonesuch")


async def test_create_without_a_task_says_what_is_missing(box: AsyncTrainingSandbox) -> None:
    with pytest.raises(InvalidRequest, match="task_id"):
        await box.create_instance()


async def test_a_step_answers_observation_reward_and_end(box: AsyncTrainingSandbox) -> None:
    created = await box.create_instance(task_id="task_1")
    result = await box.step(instance_id=created["info"]["instance_id"], action=HELLO)
    assert result == {
        "state": [{"role": "user", "content": f"seen: {HELLO['content']}"}],
        "reward": 0.0,
        "is_terminated": False,
        "info": {},
    }


async def test_a_text_is_taken_as_the_assistants_message(
    box: AsyncTrainingSandbox, server: StubServer
) -> None:
    created = await box.create_instance(task_id="task_1")
    await box.step(created["info"]["instance_id"], "think")
    assert server.sent("step")[-1]["messages"] == {"role": "assistant", "content": "think"}


@pytest.mark.parametrize("action", [{}, {"content": "no role"}, 7, None, [HELLO]])
async def test_what_is_no_message_is_refused_before_it_is_sent(
    box: AsyncTrainingSandbox, server: StubServer, action: object
) -> None:
    created = await box.create_instance(task_id="task_1")
    with pytest.raises(InvalidRequest, match="action"):
        await box.step(created["info"]["instance_id"], action)
    assert not server.sent("step")


async def test_params_that_are_not_json_are_refused(box: AsyncTrainingSandbox) -> None:
    with pytest.raises(InvalidRequest, match="JSON"):
        await box.create_instance(task_id="task_1", params={"when": object()})


async def test_evaluate_returns_the_reward(box: AsyncTrainingSandbox, server: StubServer) -> None:
    created = await box.create_instance(task_id="task_1")
    assert await box.evaluate(created["info"]["instance_id"], sparse=False) == 0.5
    assert server.sent("evaluate")[-1]["params"] == {"sparse": False}


@pytest.mark.parametrize("answer", [None, True, "1.0", {"reward": 1.0}, []])
async def test_what_is_no_number_is_never_a_reward(
    box: AsyncTrainingSandbox, server: StubServer, answer: object
) -> None:
    created = await box.create_instance(task_id="task_1")
    server.reward = answer
    with pytest.raises(InvalidAnswer):
        await box.evaluate(created["info"]["instance_id"])


async def test_release_says_whether_there_was_something_to_release(
    box: AsyncTrainingSandbox,
) -> None:
    created = await box.create_instance(task_id="task_1")
    assert await box.release_instance(created["info"]["instance_id"]) is True
    assert await box.release_instance("never-created") is False


async def test_a_released_episode_cannot_be_stepped(box: AsyncTrainingSandbox) -> None:
    created = await box.create_instance(task_id="task_1")
    await box.release_instance(created["info"]["instance_id"])
    with pytest.raises(EpisodeReleased):
        await box.step(created["info"]["instance_id"], HELLO)


async def test_tools_and_status_are_passed_on(box: AsyncTrainingSandbox) -> None:
    assert await box.get_tools_info() == "the tools"
    assert (await box.status())["slots"] == {"total": 256, "used": 0}


async def test_a_closed_sandbox_says_so(endpoint: str) -> None:
    sandbox = AsyncTrainingSandbox(endpoint=endpoint)
    await sandbox.status()
    await sandbox.close()
    with pytest.raises(InvalidRequest, match="closed"):
        await sandbox.status()
