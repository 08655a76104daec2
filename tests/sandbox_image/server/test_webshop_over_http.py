"""WebShop behind the server: the known best actions of every goal score, worse ones do less.

The interpreter of WebShop's venv is TEST_WEBSHOP_PYTHON, or the one that the build made.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

BUILT_PYTHON = Path(__file__).parents[3] / "build" / "venvs" / "webshop" / "bin" / "python"
AT_ONCE = 8
PRODUCTS = 60

TELL_EXAMPLES = """
import dataclasses, json, sys
from importlib.metadata import entry_points
(point,) = entry_points(group="training_sandbox.examples", name="webshop")
json.dump([dataclasses.asdict(example) for example in point.load()()], sys.stdout)
"""
Messages = Sequence[dict[str, object]]


@pytest.fixture(scope="module")
def python() -> str:
    found = os.environ.get("TEST_WEBSHOP_PYTHON", str(BUILT_PYTHON))
    assert Path(found).exists(), f"{found} is missing: make venv-webshop"
    return found


@pytest.fixture(scope="module")
def catalogue(python, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("catalogue")
    command = [python, "-m", "training_sandbox_webshop.catalogue"]
    subprocess.run([*command, "--root", root, "--products", str(PRODUCTS)], check=True)
    return root


@pytest.fixture(scope="module")
def examples(python, catalogue):
    """A right and a wrong way to play each goal."""
    told = subprocess.run(
        [python, "-c", TELL_EXAMPLES],
        env={**os.environ, "WEBSHOP_ROOT": str(catalogue)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout)


@pytest.fixture(scope="module")
def server(run_server, python, catalogue, tmp_path_factory):
    """In this module: a server of WebShop."""
    settings = {
        "SANDBOX_ENVIRONMENT": "webshop",
        "SANDBOX_ENVIRONMENT_PYTHON": python,
        "SANDBOX_STATE_DIR": str(tmp_path_factory.mktemp("state")),
        "SANDBOX_SLOTS": str(AT_ONCE),
        "WEBSHOP_ROOT": str(catalogue),
    }
    with run_server(settings) as server:
        yield server.wait_until_ready()


class Rollout:
    """One episode, played to its end by known messages."""

    def __init__(self, server, task_id: str, messages: Messages) -> None:
        episode = server.create(task_id, env_type="webshop")
        self.before = server.data("evaluate", instance_id=episode)
        steps = [server.data("step", instance_id=episode, messages=message) for message in messages]
        self.terminated = [step["is_terminated"] for step in steps]
        self.reward = steps[-1]["reward"]
        self.evaluated = server.data("evaluate", instance_id=episode)
        self.sparse = server.data("evaluate", instance_id=episode, params={"sparse": True})
        assert server.post("release", instance_id=episode).json()["success"] is True


def play(server, examples, which: str) -> list[Rollout]:
    """Play every goal, several at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda one: Rollout(server, one["task_id"], one[which]), examples))


def test_the_tasks_are_the_goals_of_the_catalogue(server):
    ids = [server.data("get_env_profile", params={"split": s}) for s in ("test", "dev", "train")]
    assert [len(of_split) for of_split in ids] == [PRODUCTS // 6, PRODUCTS // 3, PRODUCTS // 2]
    assert [*ids[0], *ids[1], *ids[2]] == [str(number) for number in range(PRODUCTS)]


def test_the_best_actions_of_every_goal_score_one(server, examples):
    assert [example["task_id"] for example in examples] == [str(n) for n in range(PRODUCTS)]
    for rollout in play(server, examples, "right"):
        assert rollout.before == 0.0
        assert (rollout.reward, rollout.evaluated, rollout.sparse) == (1.0, 1.0, 1.0)
        assert rollout.terminated == [False] * (len(rollout.terminated) - 1) + [True]


def test_worse_purchases_score_less(server, examples):
    for rollout in play(server, examples[::4], "wrong"):
        assert 0.0 <= rollout.reward == rollout.evaluated < 1.0
        assert rollout.sparse == 0.0


def test_nothing_is_left_of_played_episodes(server, wait_until):
    assert server.used_slots() == 0
    wait_until(lambda: server.processes_of_episodes() == 0)


def test_tool_calls_and_text_do_the_same(server):
    ways = (
        [{"content": "search[boots]"}, {"content": "click[Next >]"}],
        [
            {
                "content": json.dumps({"name": name, "arguments": arguments}).join(
                    ("<tool_call>", "</tool_call>")
                )
            }
            for name, arguments in (
                ("search", {"keywords": "boots"}),
                ("click", {"element": "Next >"}),
            )
        ],
        [
            {"content": None, "tool_calls": [{"id": "1", "type": "function", "function": call}]}
            for call in (
                {"name": "search", "arguments": '{"keywords": "boots"}'},
                {"name": "click", "arguments": '{"element": "Next >"}'},
            )
        ],
    )
    seen = []
    for way in ways:
        episode = server.create("0", env_type="webshop")
        for message in way:
            step = server.data(
                "step", instance_id=episode, messages={"role": "assistant", **message}
            )
        seen.append(step["state"][0]["content"])
        server.post("release", instance_id=episode)
    assert "Page 2 (Total results: " in seen[0]
    assert seen == [seen[0]] * len(ways)


def test_a_message_without_an_action_is_refused_and_changes_nothing(server):
    episode = server.create("0", env_type="webshop")
    before = server.observe(episode, "search[boots]")
    refused = server.act(episode, "I would like the boots.")
    assert refused.status_code == 400
    assert "content has no action" in refused.text
    assert server.observe(episode, "click[no such thing]") == before
    server.post("release", instance_id=episode)


def test_branches_of_a_visit_go_their_own_ways(server, examples):
    example = examples[0]
    *beginning, end = (message["content"] for message in example["right"])
    episode = server.create(example["task_id"], env_type="webshop")
    for action in beginning:
        server.act(episode, action)
    branches = server.data("fork", instance_id=episode, n=2)["episodes"]
    server.act(episode, "click[Back to Search]")
    for branch in (made["info"]["instance_id"] for made in branches):
        assert server.act(branch, end).json()["data"]["reward"] == 1.0
        server.post("release", instance_id=branch)
    server.post("release", instance_id=episode)
