"""BFCL behind the server: every ground truth scores, in both forms that calls can have.

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


def test_all_800_ground_truths_score_one(server, examples):
    players = SimpleQueue()
    for _ in range(AT_ONCE):
        players.put(Player(server.url))

    def reward(numbered) -> float:
        number, example = numbered
        messages = example["right"]
        if number % 2:
            messages = [as_tool_calls(message) for message in messages]
        player = players.get()
        last = player.play(example["task_id"], messages)
        players.put(player)
        assert last["state"][0]["content"] == COMPLETED
        return last["reward"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        rewards = list(pool.map(reward, enumerate(examples)))
    assert rewards == [1.0] * 800


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
