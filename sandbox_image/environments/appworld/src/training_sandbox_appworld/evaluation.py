"""Scores a saved state: what AppWorld's own `evaluate_task` does, without its files.

It runs in a process of its own, which agent code has never run in.
"""

import importlib.util
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy.exc import OperationalError

from training_sandbox_appworld import differences, library
from training_sandbox_appworld.databases import Databases
from training_sandbox_appworld.saved_state import Changes

_MODULE = "evaluation"
"""The name that AppWorld imports a task's tests by."""


@dataclass(frozen=True, slots=True)
class Score:
    """How many tests of a task passed and failed."""

    passed: int
    failed: int


def prepare() -> None:
    """Make AppWorld's evaluator do without what only costs time here."""
    differences.leave_out_empty_queries()
    library.module("evaluator").build_fail_trace = _take_note_of_failure


def ground_truth(task_id: str) -> Any:
    """What only an evaluation may know of a task."""
    return library.module("ground_truth").GroundTruth.load(task_id)


def evaluate(databases: Databases, task_id: str, changes: Changes, truth: Any) -> Score:
    """Run the tests of a task.

    Args:
        databases: Those of the task, as it starts, when they are open.
        task_id: The task.
        changes: What was changed since the task started.
        truth: What `ground_truth` returned.

    Raises:
        StateTampered: A change cannot be made.
    """
    if databases.task_id != task_id:
        databases.open(task_id)
    touched = databases.make_changes(changes)
    task = library.module("task").Task.load(task_id, load_ground_truth=False)
    time = library.module("apps.api_lib").set_local_date_and_time(task.datetime)
    tracker = library.module("evaluator").TestTracker(
        test_data=truth.test_data, difficulty=truth.metadata["difficulty"]
    )
    models = differences.make_pair(*start_and_end(task, changes), databases, touched)
    _load_tests(truth).evaluate(
        test=tracker,
        public_data=truth.public_data,
        private_data=truth.private_data,
        main_user=models.start.admin.MainUser.find_one(**task.supervisor),
        models=models,
        ground_truth_answer=truth.answer,
    )
    time.stop()
    return Score(len(tracker.passes), len(tracker.failures))


def start_and_end(task: Any, changes: Changes) -> tuple[Any, Any]:
    """The models of both states, which the tests compare."""
    models, model_lib = library.module("collections.models"), library.module("apps.model_lib")
    end_home = model_lib.get_db_home_path("memory", "task_output", task.id)
    start = task.model_collection
    end = models.ModelCollection.load(
        to_db_home_path=end_home,
        from_db_home_path=task.models_from_db_home_path,
        load_apps=task.allowed_apps,
    )
    _count_changes(changes, model_lib.ModelHashHandler.data[end_home])
    return start, end


def _count_changes(changes: Changes, counts: dict[str, dict[str, int]]) -> None:
    """Count the changes of each model, as AppWorld does where they are made.

    It does not look at models whose count is that of the start; and agent code can reach what
    counts in its own process.
    """
    for app, of_app in changes.items():
        models = library.module(f"apps.{app}.models").SQLModel.names_and_models()
        names = {model.table_name: name for name, model in models}
        for change in of_app:
            if name := names.get(change.table):
                counts[app][name] += 1


def _load_tests(truth: Any) -> ModuleType:
    """The task's tests, from their file and from nowhere else that has one of this name."""
    path = Path(truth.loaded_from_directory) / f"{_MODULE}.py"
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    assert spec is not None  # noqa: S101 (it has a loader for .py)
    assert spec.loader is not None  # noqa: S101 (the same)
    module = importlib.util.module_from_spec(spec)
    sys.modules[_MODULE] = module
    spec.loader.exec_module(module)
    return module


def _take_note_of_failure(error: Exception) -> str:
    """In place of where a test failed, which nobody reads: failed tests are counted.

    AppWorld would count what the machine lacks as well; then there is no score.
    """
    if isinstance(error, MemoryError | OSError | sqlite3.OperationalError | OperationalError):
        raise error
    return ""
