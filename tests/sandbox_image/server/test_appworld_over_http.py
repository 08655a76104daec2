"""AppWorld behind the server: its right solutions score, its wrong ones do not.

The world is the one at TEST_APPWORLD_ROOT, or a small one that is made for these tests. The
interpreter of AppWorld's venv is TEST_APPWORLD_PYTHON, or the one that the build made.
"""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

BUILT_PYTHON = Path(__file__).parents[3] / "build" / "venvs" / "appworld" / "bin" / "python"
AT_ONCE = 4


class World:
    """The root of a world and the solutions of its tasks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.solutions = json.loads((root / "solutions.json").read_text())

    def tasks(self, split: str) -> list[str]:
        return [task for task, known in self.solutions.items() if known["split"] == split]

    def actions(self, task: str, which: str) -> list[str]:
        """What plays a task; `which`: right or wrong."""
        return [f"```python\n{code}\n```" for code in self.solutions[task][which]]


@pytest.fixture(scope="module")
def python() -> str:
    found = os.environ.get("TEST_APPWORLD_PYTHON", str(BUILT_PYTHON))
    assert Path(found).exists(), f"{found} is missing: make venv-appworld"
    return found


@pytest.fixture(scope="module")
def make_world(python, tmp_path_factory):
    def make(seed: int) -> World:
        root = tmp_path_factory.mktemp("world")
        module = ["-m", "training_sandbox_appworld.world", "--small"]
        subprocess.run([python, *module, "--root", root, "--seed", str(seed)], check=True)
        return World(root)

    return make


@pytest.fixture(scope="module")
def world(make_world) -> World:
    given = os.environ.get("TEST_APPWORLD_ROOT")
    return World(Path(given)) if given else make_world(7)


@pytest.fixture(scope="module")
def serve(run_server, python, tmp_path_factory):
    def _serve(world: World):
        state = str(tmp_path_factory.mktemp("state"))
        return run_server(
            {
                "SANDBOX_ENVIRONMENT": "appworld",
                "SANDBOX_ENVIRONMENT_PYTHON": python,
                "SANDBOX_STATE_DIR": state,
                "SANDBOX_SLOTS": str(AT_ONCE),
                "APPWORLD_ROOT": str(world.root),
            }
        )

    return _serve


@pytest.fixture(scope="module")
def server(serve, world):
    """In this module: a server of AppWorld."""
    with serve(world) as server:
        yield server.wait_until_ready()


class Rollout:
    """One episode, played to its end by known actions."""

    def __init__(self, server, task_id: str, actions: list[str]) -> None:
        episode = server.create(task_id, env_type="appworld")
        steps = [
            server.act(episode, action, step_index=index).json()["data"]
            for index, action in enumerate(actions)
        ]
        self.terminated = [step["is_terminated"] for step in steps]
        self.reward = steps[-1]["reward"]
        self.evaluated = server.data("evaluate", instance_id=episode)
        self.sparse = server.data("evaluate", instance_id=episode, params={"sparse": True})
        self.recorded = server.trajectory(episode)[1:]
        assert server.post("release", instance_id=episode).json()["success"] is True


def play(server, world: World, split: str, which: str) -> list[Rollout]:
    """Play every task of a split, several at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(
            pool.map(
                lambda task: Rollout(server, task, world.actions(task, which)), world.tasks(split)
            )
        )


def test_the_tasks_of_a_split_are_the_worlds(server, world):
    assert sorted(server.data("get_env_profile", params={"split": "dev"})) == sorted(
        world.tasks("dev")
    )


def test_right_solutions_played_at_once_score_one(server, world):
    rollouts = play(server, world, "train", "right")
    assert rollouts
    for rollout in rollouts:
        assert (rollout.reward, rollout.evaluated, rollout.sparse) == (1.0, 1.0, 1.0)
        assert rollout.terminated == [False] * (len(rollout.terminated) - 1) + [True]


def test_wrong_solutions_played_at_once_do_not(server, world):
    rollouts = play(server, world, "train", "wrong")
    assert rollouts
    for rollout in rollouts:
        assert 0.0 <= rollout.reward == rollout.evaluated < 1.0
        assert rollout.sparse == 0.0


def test_nothing_is_left_of_played_episodes(server, wait_until):
    assert server.used_slots() == 0
    wait_until(lambda: server.processes_of_episodes() == 0)


@pytest.mark.parametrize("which", ["right", "wrong"])
def test_a_trajectory_played_again_gives_the_same_observations_and_rewards(server, world, which):
    def replay(task: str) -> None:
        played = Rollout(server, task, world.actions(task, which))
        steps = [line for line in played.recorded if line["type"] == "step"]
        again = Rollout(server, task, [step["action"]["content"] for step in steps])
        for line in (*played.recorded, *again.recorded):
            line.pop("seconds", None)
        assert again.recorded == played.recorded

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(replay, world.solutions))


def test_branches_of_a_running_episode_solve_its_task_each(server, world):
    task = world.tasks("train")[0]
    *beginning, end = world.actions(task, "right")
    episode = server.create(task, env_type="appworld")
    for action in beginning:
        server.act(episode, action)
    branches = server.data("fork", instance_id=episode, n=2)["episodes"]
    for branch in (*(made["info"]["instance_id"] for made in branches), episode):
        assert server.act(branch, end).json()["data"]["reward"] == 1.0
        server.post("release", instance_id=branch)


def test_an_error_of_agent_code_is_an_observation(server, world):
    episode = server.create(world.tasks("train")[0])
    observed = server.observe(episode, "```python\n1 / 0\n```")
    server.post("release", instance_id=episode)
    assert "ZeroDivisionError" in observed


def test_another_world_is_served_from_another_root(serve, make_world):
    other = make_world(8)
    with serve(other) as server:
        server.wait_until_ready()
        assert [rollout.reward for rollout in play(server, other, "dev", "right")] == [1.0] * len(
            other.tasks("dev")
        )
