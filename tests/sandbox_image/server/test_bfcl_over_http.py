"""BFCL behind the server: every ground truth scores, in both forms that calls can have.

The interpreter of BFCL's venv is TEST_BFCL_PYTHON, or the one that the build made; so is the
package's data folder at TEST_BFCL_DATA.
"""

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
    # Each task is played once, so that templates would only cost time.
    settings = bfcl | {
        "SANDBOX_STATE_DIR": state,
        "SANDBOX_SLOTS": str(AT_ONCE),
        "SANDBOX_TEMPLATES_MEMORY_MB": "1",
    }
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


def play(server, task_id: str, messages: list[dict]) -> dict:
    """Play a task to its end; what the last step was answered."""
    episode = server.create(task_id, env_type="bfcl")
    for message in messages:
        response = server.post("step", instance_id=episode, messages=message)
        assert response.status_code == 200, response.text
    last = response.json()["data"]
    assert last["is_terminated"], last
    assert server.post("release", instance_id=episode).json()["success"] is True
    return last


def test_all_800_ground_truths_score_one(server, examples):
    def reward(numbered) -> float:
        number, example = numbered
        messages = example["right"]
        if number % 2:
            messages = [as_tool_calls(message) for message in messages]
        last = play(server, example["task_id"], messages)
        assert last["state"][0]["content"] == COMPLETED
        return last["reward"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        rewards = list(pool.map(reward, enumerate(examples)))
    assert rewards == [1.0] * 800
