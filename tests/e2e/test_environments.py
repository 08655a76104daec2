"""Every environment in the box, as a TrainingInstance, is played to its full reward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from examples.demo import ENVIRONMENTS, Rollout, known_examples, play
from tests.e2e.support.cluster import Namespace
from training_sandbox import TrainingSandbox

PLAYED = 12


@pytest.fixture(params=[one for one in ENVIRONMENTS if one != "appworld"])
def env_type(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def sandbox(env_type: str, namespace: Namespace) -> Iterator[TrainingSandbox]:
    with TrainingSandbox(env_type=env_type, namespace=namespace.name, name="played") as box:
        yield box


@pytest.fixture
def examples(
    env_type: str, sandbox: TrainingSandbox, namespace: Namespace
) -> Mapping[str, dict[str, Any]]:
    """Known ways to play some tasks."""
    train = sandbox.get_env_profile(split="train")
    pod = namespace.status("played")["podName"]
    known = known_examples(env_type, pod, "--namespace", namespace.name)
    of_train = [task_id for task_id in train if task_id in known]
    return {task_id: known[task_id] for task_id in of_train[:: max(1, len(of_train) // PLAYED)]}


def test_known_ways_to_play_are_rewarded_with_what_they_are_worth(
    sandbox: TrainingSandbox, examples: Mapping[str, dict[str, Any]]
) -> None:
    assert len(examples) >= PLAYED
    for task_id, example in examples.items():
        right = Rollout(task_id, "played", example["right"], right=True)
        wrong = Rollout(task_id, "played", example["wrong"], right=False)
        assert play(sandbox, right) == 1.0, task_id
        assert play(sandbox, wrong) < 1.0, task_id
