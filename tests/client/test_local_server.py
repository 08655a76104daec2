"""``local=True``: the real server, as a process that ends with ours."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from training_sandbox import (
    EpisodeExists,
    EpisodeLost,
    EpisodeReleased,
    EpisodeTerminated,
    InstanceLost,
    InvalidRequest,
    LocalServerFailed,
    TrainingSandbox,
    UnknownTask,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTER = "counter_environment:CounterEnvironment"
COUNTER_FOLDER = Path(__file__).parents[1] / "sandbox_image"


@pytest.fixture(autouse=True)
def environment_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINING_SANDBOX_ENVIRONMENT_PYTHON", sys.executable)


def counter(**options: str) -> TrainingSandbox:
    """A local server of the tests' own environment."""
    env = {"PYTHONPATH": str(COUNTER_FOLDER)}
    return TrainingSandbox(COUNTER, local=True, env=env, request_timeout=60, **options)


@pytest.fixture(scope="module")
def box() -> Iterator[TrainingSandbox]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRAINING_SANDBOX_ENVIRONMENT_PYTHON", sys.executable)
        with counter() as sandbox:
            yield sandbox


def servers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "training_sandbox_server" in " ".join(child.cmdline())
    ]


def test_a_task_is_played_to_its_reward(box: TrainingSandbox) -> None:
    assert "count-to-3" in box.get_env_profile(split="train")
    with box.episode("count-to-3") as episode:
        assert episode.step("add 1")["state"][0]["content"] == "1"
        assert episode.evaluate() == pytest.approx(1 / 3)
        episode.step("add 2")
        result = episode.step("done now")
    assert (result["is_terminated"], result["reward"]) == (True, 1.0)


def test_errors_of_the_server_come_as_their_kinds(box: TrainingSandbox) -> None:
    with pytest.raises(UnknownTask):
        box.create_instance(task_id="nonesuch")
    episode = box.episode("count-to-3")
    with pytest.raises(InvalidRequest, match="command"):
        episode.step("nonesuch")
    with pytest.raises(EpisodeLost):
        episode.step("die 1")
    released = box.episode("count-to-3")
    released.release()
    with pytest.raises(EpisodeReleased):
        released.step("add 1")


def test_a_group_plays_one_task_many_times(box: TrainingSandbox) -> None:
    box.prepare(["count-to-10"])
    with box.create_group("count-to-10", 4) as group:
        for number, episode in enumerate(group):
            episode.step(f"add {number}")
        assert [episode.evaluate() for episode in group] == [0.0, 0.1, 0.2, 0.3]
        with pytest.raises(EpisodeExists):
            box.create_group("count-to-3", 1, instance_ids=[group[0].instance_id])
    assert box.status()["slots"]["used"] == 0


def test_branches_go_on_from_where_the_episode_stands(box: TrainingSandbox) -> None:
    with box.episode("count-to-10") as episode:
        episode.step("add 5")
        with episode.fork(2) as (left, right):
            left.step("add 1")
            right.step("add 2")
            (deeper,) = left.fork(1)
            assert deeper.step("add 1")["state"][0]["content"] == "7"
            rewards = [it.evaluate() for it in (episode, left, right, deeper)]
        assert rewards == [0.5, 0.6, 0.7, 0.7]
        episode.step("done now")
        with pytest.raises(EpisodeTerminated):
            episode.fork(1)


def test_a_trajectory_has_every_step_evaluation_and_error(box: TrainingSandbox) -> None:
    with box.episode("count-to-10") as episode:
        episode.step("add 1")
        episode.evaluate(sparse=True)
        with pytest.raises(InvalidRequest):
            episode.step("nonesuch")
        (branch,) = episode.fork(1)
        branch.step("add 1")
        start, step, evaluation, error = episode.trajectory()
        assert (start["type"], start["messages"]) == ("episode", episode.messages[:2])
        assert [step["action"], step["observation"]] == episode.messages[2:]
        assert (evaluation["reward"], evaluation["steps"]) == (0.0, 1)
        assert error["error"]["type"] == "invalid_request"
        of_branch = branch.trajectory()
        assert of_branch[0]["parent"] == episode.instance_id
        assert [record.get("index") for record in of_branch if record["type"] == "step"] == [0, 1]
        branch.release()


def test_an_episode_of_another_client_is_taken_up_where_it_stands(box: TrainingSandbox) -> None:
    created = box.create_instance(task_id="count-to-10", instance_id="shared")
    for _ in range(2):
        box.step("shared", "add 1")
    again = box.create_instance(task_id="count-to-10", instance_id="shared")
    assert again == created
    assert box.step("shared", "add 1")["state"][0]["content"] == "3"


def test_the_task_of_the_sandbox_is_open_from_the_start() -> None:
    with counter(task_id="count-to-3", name="bound") as box, box.episode() as episode:
        assert episode.instance_id == "bound"
        episode.step("add 3")
        task = box.status()["task"]
    assert task is not None
    assert (task["task_id"], task["steps"]) == ("count-to-3", 1)


def test_a_task_that_the_environment_does_not_have_is_named() -> None:
    with pytest.raises(UnknownTask, match="nonesuch"):
        counter(task_id="nonesuch").start()


def test_a_server_that_cannot_start_shows_its_last_words() -> None:
    box = TrainingSandbox("nonesuch:Environment", local=True)
    with pytest.raises(LocalServerFailed, match="there is no module 'nonesuch'"):
        box.start()


def test_without_an_interpreter_the_variable_to_set_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TRAINING_SANDBOX_ENVIRONMENT_PYTHON")
    with pytest.raises(LocalServerFailed, match="TRAINING_SANDBOX_ENVIRONMENT_PYTHON="):
        counter().start()


def test_a_command_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINING_SANDBOX_SERVER", "/nonesuch/server")
    with pytest.raises(LocalServerFailed, match="/nonesuch/server"):
        counter().start()


def test_a_server_that_is_killed_in_mid_episode_is_lost() -> None:
    before = servers()
    with counter() as box, box.episode("count-to-3") as episode:
        (server,) = [process for process in servers() if process not in before]
        server.kill()
        with pytest.raises(InstanceLost, match="exit status -9"):
            episode.step("add 1")


def test_closing_leaves_no_process_and_no_folder(box: TrainingSandbox, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        before = servers()
        with counter() as another:
            another.start()
            started = [process for process in servers() if process not in before]
            assert started
            assert list(tmp_path.iterdir())
    assert not any(process.is_running() for process in started)
    assert not list(tmp_path.iterdir())


def test_a_program_that_is_killed_takes_its_server_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    environment = {"PYTHONPATH": str(COUNTER_FOLDER)}
    code = f"""
from training_sandbox import TrainingSandbox
box = TrainingSandbox({COUNTER!r}, local=True, env={environment!r})
box.start()
print("started", flush=True)
import time; time.sleep(60)
"""
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "started\n"
    descendants = psutil.Process(program.pid).children(recursive=True)
    assert descendants
    program.send_signal(signal.SIGKILL)
    program.communicate()
    _, alive = psutil.wait_procs(descendants, timeout=30)
    assert not alive
