"""`make serve`: the server on this machine, with a world of the user's and no cluster."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from training_sandbox import TrainingSandbox

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world of a seed that no image carries."""
    root = tmp_path_factory.mktemp("served") / "world"
    subprocess.run(
        [
            REPOSITORY / "build/venvs/appworld/bin/python",
            *("-m", "training_sandbox_appworld.world"),
            *("--root", root, "--seed", "41", "--small"),
        ],
        check=True,
    )
    return root


def wait_until_healthy(address: str) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/healthz").is_success:
                return
        time.sleep(0.2)
    raise AssertionError(f"{address} does not become healthy")


@pytest.fixture(scope="module")
def endpoint(world: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["make", "serve", "ENV=appworld", f"PORT={port}", f"APPWORLD_ROOT={world}"],
        cwd=REPOSITORY,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    wait_until_healthy(address)
    yield address
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(30)


def test_a_mounted_world_is_served_and_rewarded(endpoint: str, world: Path) -> None:
    solutions = json.loads((world / "solutions.json").read_text())
    with TrainingSandbox(endpoint=endpoint) as sandbox:
        task_id = sandbox.get_env_profile(split="train")[0]
        rewards = {}
        for kind in ("right", "wrong"):
            with sandbox.episode(task_id) as episode:
                for code in solutions[task_id][kind]:
                    answer = episode.step(f"```python\n{code}\n```")
                rewards[kind] = answer["reward"]
    assert rewards["right"] == 1.0
    assert rewards["wrong"] < 1.0
