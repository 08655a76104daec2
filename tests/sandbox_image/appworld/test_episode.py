"""An episode as an agent sees it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from zygote import RemoteEpisode, RemoteError

from training_sandbox_appworld.world.solutions import Solutions

Open = Callable[..., RemoteEpisode]
TaskOf = Callable[[str, str], str]


@pytest.fixture
def task_id(task_of: TaskOf) -> str:
    return task_of("birthday", "train")


@pytest.fixture
def episode(open_episode: Open, task_id: str) -> RemoteEpisode:
    return open_episode(task_id)


def test_it_starts_with_the_system_message_and_the_instruction(
    episode: RemoteEpisode, world: Path, task_id: str
) -> None:
    specs = json.loads((world / "data" / "tasks" / task_id / "specs.json").read_text())
    system, user = episode.messages
    assert (system["role"], user["role"]) == ("system", "user")
    assert user["content"] == specs["instruction"]
    for part in specs["supervisor"].values():
        assert part in system["content"]


def test_its_messages_do_not_have_the_answer(
    episode: RemoteEpisode, world: Path, task_id: str
) -> None:
    answer = json.loads((world / f"data/tasks/{task_id}/ground_truth/answer.json").read_text())
    assert answer not in json.dumps(episode.messages)


def test_output_comes_in_a_block(episode: RemoteEpisode) -> None:
    assert episode.say("```python\nprint(1 + 1)\n```") == "Output:\n```\n2\n```\n\n"


def test_the_observation_is_a_message_of_the_user(episode: RemoteEpisode) -> None:
    answer, terminated = episode.ask("step", {"role": "assistant", "content": "Hello."})
    assert (answer["role"], answer["tool_calls"], terminated) == ("user", [], False)


def test_names_stay_defined_for_the_next_step(episode: RemoteEpisode) -> None:
    assert "5" in episode.run("x = 5", "print(x)")[1]


def test_an_error_of_the_code_is_an_observation(episode: RemoteEpisode) -> None:
    assert "ZeroDivisionError" in episode.run("1 / 0")[0]


def test_a_syntax_error_is_an_observation(episode: RemoteEpisode) -> None:
    assert "Syntax error" in episode.run("print(")[0]


def test_code_that_exits_does_not_end_the_episode(episode: RemoteEpisode) -> None:
    episode.run("raise SystemExit(3)")
    assert "still here" in episode.run("print('still here')")[0]


def test_code_that_does_not_end_is_stopped_and_the_episode_goes_on(
    open_episode: Open, task_id: str
) -> None:
    episode = open_episode(task_id, environ={"SANDBOX_STEP_TIMEOUT_SECONDS": "2"})
    assert "timed out" in episode.run("while True: pass")[0]
    assert "still here" in episode.run("print('still here')")[0]


def test_an_api_call_that_does_not_end_is_stopped(open_episode: Open, task_id: str) -> None:
    episode = open_episode(task_id, environ={"SANDBOX_STEP_TIMEOUT_SECONDS": "2"})
    episode.run(
        "from appworld.apps.supervisor import models\n"
        "def endless(*args, **kwargs):\n    while True: pass\n"
        "all_of_them, models.Supervisor.all = models.Supervisor.all, endless"
    )
    (output,) = episode.run("apis.supervisor.show_profile()")
    assert "timed out after" in output
    episode.run("models.Supervisor.all = all_of_them")
    assert "email" in episode.run("print(apis.supervisor.show_profile())")[0]


def test_content_without_code_is_answered_and_changes_nothing(episode: RemoteEpisode) -> None:
    assert "```python" in episode.say("I am thinking.")
    assert not episode.terminated


def test_several_tool_calls_are_answered_in_one_message(episode: RemoteEpisode) -> None:
    calls = [{"name": "appworld", "arguments": {"code": f"print({n})"}} for n in (11, 22)]
    content = episode.send({"role": "assistant", "content": None, "tool_calls": calls})
    assert content == "Output:\n```\n11\n```\n\n\nOutput:\n```\n22\n```\n\n"


def test_a_message_of_a_wrong_form_is_the_callers_fault_and_executes_nothing(
    episode: RemoteEpisode,
) -> None:
    calls = [{"name": "appworld", "arguments": {"code": "x = 1"}}, {"name": "appworld"}]
    with pytest.raises(RemoteError, match=r"InvalidAction: tool_calls\[1\].arguments"):
        episode.send({"role": "assistant", "content": None, "tool_calls": calls})
    assert "NameError" in episode.run("x")[0]


def test_simple_content_is_code_and_output_is_bare(open_episode: Open, task_id: str) -> None:
    episode = open_episode(task_id, {"simple": True})
    assert episode.say("print(1 + 1)") == "2\n"


def test_without_the_prompt_only_its_last_turn_is_sent(open_episode: Open, task_id: str) -> None:
    system, _ = open_episode(task_id, {"prompt": False}).messages
    assert "My name is" in system["content"]
    assert "ASSISTANT:" not in system["content"]


@pytest.mark.parametrize("name", ["simple", "prompt"])
def test_a_param_that_is_no_boolean_is_refused(open_episode: Open, task_id: str, name: str) -> None:
    with pytest.raises(RemoteError, match=f"InvalidAction: params.{name} must be true or false"):
        open_episode(task_id, {name: "yes"})


def test_it_ends_when_the_task_is_completed(episode: RemoteEpisode) -> None:
    episode.run("print('not yet')")
    assert not episode.terminated
    episode.run("apis.supervisor.complete_task(answer='x')")
    assert episode.terminated


def test_it_can_be_evaluated_before_it_ends(
    open_episode: Open, solutions: dict[str, Solutions], task_id: str
) -> None:
    episode = open_episode(task_id)
    assert episode.evaluate() == 0.5  # nothing was changed that should not be
    episode.run(*solutions[task_id].right)
    assert episode.evaluate() == 1.0


def test_evaluation_can_be_repeated(
    open_episode: Open, solutions: dict[str, Solutions], task_of: TaskOf
) -> None:
    task_id = task_of("send_money", "train")
    episode = open_episode(task_id)
    episode.run(*solutions[task_id].wrong)
    assert episode.evaluate() == episode.evaluate() == pytest.approx(2 / 3)
