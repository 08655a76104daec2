import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from training_sandbox_bfcl.data import TaskData, parse_task, read_tasks
from training_sandbox_bfcl.environment import BfclEnvironment
from training_sandbox_bfcl.evaluation import ground_truth
from training_sandbox_bfcl.examples import examples
from training_sandbox_bfcl.single_turn.tasks import SingleTurnTask
from training_sandbox_bfcl.single_turn.tasks import parse_task as parse_single_turn_task
from training_sandbox_bfcl.single_turn.tasks import read_tasks as read_single_turn_tasks
from training_sandbox_worker.environment import Episode, Task
from training_sandbox_worker.examples import Example

# No test asserts on wall time.
settings.register_profile("bfcl", deadline=None)
settings.load_profile("bfcl")

BUILT_DATA = Path(__file__).parents[3] / "build" / "bfcl"


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The package's data folder, with the answers."""
    folder = Path(os.environ.get("TEST_BFCL_DATA", BUILT_DATA))
    assert folder.exists(), f"{folder} is missing: make venv-bfcl"
    return folder


@pytest.fixture(scope="session")
def tasks(data_folder: Path) -> Mapping[str, TaskData]:
    return {task_id: parse_task(text) for task_id, text in read_tasks(data_folder).items()}


@pytest.fixture(scope="session")
def single_turn_tasks(data_folder: Path) -> Mapping[str, SingleTurnTask]:
    lines = read_single_turn_tasks(data_folder)
    return {task_id: parse_single_turn_task(line) for task_id, line in lines.items()}


@pytest.fixture(scope="session")
def played(data_folder: Path) -> Mapping[str, Example]:
    """The examples, by the ids of their tasks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BFCL_DATA", str(data_folder))
        return {example.task_id: example for example in examples()}


@pytest.fixture(scope="session")
def truth(data_folder: Path) -> Callable[[str], list[list[str]]]:
    """The ground truth of a task."""
    return lambda task_id: [list(calls) for calls in ground_truth(data_folder, task_id)]


@pytest.fixture(scope="session")
def environment(data_folder: Path) -> BfclEnvironment:
    """The environment, preloaded in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BFCL_DATA", str(data_folder))
        environment = BfclEnvironment()
        environment.preload()
        return environment


@pytest.fixture
def open_episode(environment: BfclEnvironment) -> Callable[[str], Episode]:
    return lambda task_id: environment.open(Task(task_id, {}))
