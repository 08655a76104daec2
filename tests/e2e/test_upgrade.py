"""The chart and its CRDs are upgraded, twice, while episodes are played: none is lost."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.e2e.support.cluster import Namespace, kubectl, wait_until
from tests.e2e.support.release import CHART, upgrade
from training_sandbox import TrainingSandbox

pytestmark = pytest.mark.alone

TASK = "multi_turn_base_0"
FIELD = "ofTheNextRelease"
CALL = {
    "role": "assistant",
    "content": '<tool_call>{"name": "pwd", "arguments": {}}</tool_call>',
}
"""It ends no turn, however often it is made."""


@pytest.fixture
def next_chart(tmp_path: Path) -> Path:
    """This chart, as a next release could be: its CRDs have another field."""
    chart = tmp_path / "training-sandbox"
    shutil.copytree(CHART, chart)
    for path in (chart / "files" / "crds").glob("*.yaml"):
        crd = yaml.safe_load(path.read_text())
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        schema["properties"]["spec"]["properties"][FIELD] = {"type": "string"}
        path.write_text(yaml.safe_dump(crd))
    return chart


@contextmanager
def all_the_while(*works: Callable[[threading.Event], int]) -> Iterator[list[int]]:
    """Do the works until the block ends; they return how often they have done it."""
    done, counts = threading.Event(), list[int]()
    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(work, done) for work in works]
        try:
            yield counts
        finally:
            done.set()
        counts.extend(one.result() for one in running)


def play_until(done: threading.Event, box: TrainingSandbox) -> int:
    """Play one episode after the other; whatever goes wrong is raised."""
    played = 0
    while not done.is_set():
        episode = box.create_instance(task_id=TASK)["info"]["instance_id"]
        for _ in range(3):
            box.step(episode, CALL)
        box.release_instance(episode)
        played += 1
    return played


def one_long_episode(done: threading.Event, box: TrainingSandbox) -> int:
    """Play one episode from before the upgrade to after it."""
    episode = box.create_instance(task_id=TASK)["info"]["instance_id"]
    steps = 0
    while not done.wait(0.5):
        assert not box.step(episode, CALL)["is_terminated"]
        steps += 1
    assert "/workspace" in str(box.step(episode, CALL)["state"])
    box.release_instance(episode)
    return steps


def instances_until(done: threading.Event, namespace: Namespace) -> int:
    """Have one instance after the other: create, play, delete."""
    had = 0
    while not done.is_set():
        with TrainingSandbox(env_type="bfcl", namespace=namespace.name, name=f"new-{had}") as box:
            box.release_instance(box.create_instance(task_id=TASK)["info"]["instance_id"])
        had += 1
    return had


def knows_the_field() -> bool:
    return FIELD in kubectl("explain", f"ti.spec.{FIELD}", check=False).partition("error")[0]


def test_two_upgrades_under_load_lose_no_episode(
    values: Path, namespace: Namespace, next_chart: Path
) -> None:
    with TrainingSandbox(env_type="bfcl", namespace=namespace.name, name="steady") as box:
        before = namespace.status("steady")
        with all_the_while(
            lambda done: play_until(done, box),
            lambda done: one_long_episode(done, box),
            lambda done: instances_until(done, namespace),
        ) as counts:
            upgrade(values, next_chart)
            wait_until("the API server has the next CRDs", knows_the_field)
            upgrade(values)
            wait_until("it has the former ones", lambda: not knows_the_field())
        assert all(counts)
        after = namespace.status("steady")
        assert (after["podUID"], after["incarnation"]) == (before["podUID"], before["incarnation"])
