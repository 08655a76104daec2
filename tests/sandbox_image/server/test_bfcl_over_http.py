"""BFCL behind the server: ground truths score, in both forms that calls can have.

All of the multi-turn ones do, and some of each category of single-turn ones.

The interpreter of BFCL's venv is TEST_BFCL_PYTHON, or the one that the build made; so is the
package's data folder at TEST_BFCL_DATA.
"""

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from queue import SimpleQueue

import pytest

BUILT = Path(__file__).parents[3] / "build"
AT_ONCE = 8
COMPLETED = "[CONVERSATION_COMPLETED]"
CALL = '<tool_call>\n{"name": "requests.get", "arguments": {}}\n</tool_call>'

SINGLE_TURN = (
    "simple_python",
    "multiple",
    "parallel",
    "parallel_multiple",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    "irrelevance",
    "live_irrelevance",
    "live_relevance",
)

EXAMPLES = """
import dataclasses, json
from training_sandbox_bfcl.examples import examples
print(json.dumps([dataclasses.asdict(example) for example in examples()]))
"""


@pytest.fixture(scope="module")
def bfcl() -> dict[str, str]:
    """The settings of a server of BFCL."""
    settings = {
        "SANDBOX_ENVIRONMENT": "bfcl",
        "SANDBOX_ENVIRONMENT_PYTHON": os.environ.get(
            "TEST_BFCL_PYTHON", str(BUILT / "venvs" / "bfcl" / "bin" / "python")
        ),
        "BFCL_DATA": os.environ.get("TEST_BFCL_DATA", str(BUILT / "bfcl")),
    }
    for path in (settings["SANDBOX_ENVIRONMENT_PYTHON"], settings["BFCL_DATA"]):
        assert Path(path).exists(), f"{path} is missing: make venv-bfcl"
    return settings


@pytest.fixture(scope="module")
def examples(bfcl) -> list[dict]:
    """What `training_sandbox_bfcl.examples` gives."""
    python = bfcl["SANDBOX_ENVIRONMENT_PYTHON"]
    command = [python, "-c", EXAMPLES]
    told = subprocess.run(command, env=os.environ | bfcl, stdout=subprocess.PIPE, check=True)
    return json.loads(told.stdout)


@pytest.fixture(scope="module")
def server(run_server, bfcl, tmp_path_factory):
    """In this module: a server of BFCL."""
    state = str(tmp_path_factory.mktemp("state"))
    settings = bfcl | {"SANDBOX_STATE_DIR": state, "SANDBOX_SLOTS": str(AT_ONCE)}
    with run_server(settings) as server:
        yield server.wait_until_ready()


def as_tool_calls(message: dict) -> dict:
    """A message with blocks of text as one with OpenAI's tool calls."""
    blocks = re.findall(r"<tool_call>\n(.*)\n</tool_call>", message["content"])
    calls = [json.loads(block) for block in blocks]
    functions = [
        {"name": call["name"], "arguments": json.dumps(call["arguments"])} for call in calls
    ]
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": f"call_{number}", "type": "function", "function": function}
            for number, function in enumerate(functions)
        ],
    }


class Player:
    """Plays tasks over one connection, without what a client has beside: these are many calls."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(url.removeprefix("http://"), timeout=240)

    def play(self, task_id: str, messages: list[dict]) -> dict:
        """Play a task to its end; what the last step was answered."""
        episode = self._call("create", env_type="bfcl", task_id=task_id)["info"]["instance_id"]
        for message in messages:
            answer = self._call("step", instance_id=episode, messages=message)
        assert answer["is_terminated"], answer
        self._call("release", instance_id=episode)
        return answer

    def _call(self, verb: str, **body: object):
        headers = {"content-type": "application/json"}
        self._connection.request("POST", f"/{verb}", json.dumps(body), headers)
        response = self._connection.getresponse()
        content = response.read()
        assert response.status == 200, content
        return json.loads(content).get("data")


@pytest.fixture(scope="module")
def rewards(server):
    """Plays messages of tasks, many at once; what the last step of each was rewarded."""
    players = SimpleQueue()
    for _ in range(AT_ONCE):
        players.put(Player(server.url))

    def reward(task_id: str, messages: list[dict]) -> float:
        player = players.get()
        last = player.play(task_id, messages)
        players.put(player)
        assert last["state"][0]["content"] == COMPLETED
        return last["reward"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield lambda games: list(pool.map(lambda game: reward(*game), games))


def in_turn(examples: list[dict]) -> list[tuple[str, list[dict]]]:
    """The right messages of examples, of every other one as tool calls."""
    return [
        (
            example["task_id"],
            [as_tool_calls(one) if number % 2 else one for one in example["right"]],
        )
        for number, example in enumerate(examples)
    ]


def test_all_800_ground_truths_score_one(rewards, examples):
    multi_turn = [one for one in examples if one["task_id"].startswith("multi_turn")]
    assert rewards(in_turn(multi_turn)) == [1.0] * 800


@pytest.mark.parametrize("category", SINGLE_TURN)
def test_single_turn_answers_score_by_their_calls(rewards, server, examples, category):
    split = server.data("get_env_profile", params={"split": category})
    by_id = {example["task_id"]: example for example in examples}
    some = [by_id[task_id] for task_id in split[:: max(1, len(split) // 8)] if task_id in by_id]
    assert len(some) >= 8
    assert rewards(in_turn(some)) == [1.0] * len(some)
    wrong = [(example["task_id"], example["wrong"]) for example in some]
    assert rewards(wrong) == [0.0] * len(some)


def test_a_name_with_dots_may_be_written_with_underscores(rewards):
    function = {"name": "math_factorial", "arguments": '{"number": 5}'}
    call = {"id": "call_0", "type": "function", "function": function}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert rewards([("simple_python_1", [message])]) == [1.0]


def test_the_evaluation_of_a_single_turn_answer_is_its_reward(server):
    for content, score in (("None of these.", 1.0), (CALL, 0.0)):
        episode = server.create("live_irrelevance_0-0-0")
        for sparse in (True, False):
            params = {"sparse": sparse}
            assert server.data("evaluate", instance_id=episode, params=params) == 0.0
        message = {"role": "assistant", "content": content}
        step = server.data("step", instance_id=episode, messages=message)
        assert (step["reward"], step["is_terminated"]) == (score, True)
        for sparse in (True, False):
            params = {"sparse": sparse}
            assert server.data("evaluate", instance_id=episode, params=params) == score
        server.post("release", instance_id=episode)


def test_a_wrong_example_scores_less_than_one(server, examples):
    example = examples[0]
    episode = server.create(example["task_id"])
    for message in example["wrong"]:
        server.post("step", instance_id=episode, messages=message)
    assert server.data("evaluate", instance_id=episode) < 1.0
    assert server.data("evaluate", instance_id=episode, params={"sparse": True}) == 0.0
    server.post("release", instance_id=episode)


def test_nothing_is_left_of_played_episodes(server, wait_until):
    assert server.used_slots() == 0
    wait_until(lambda: server.processes_of_episodes() == 0)
