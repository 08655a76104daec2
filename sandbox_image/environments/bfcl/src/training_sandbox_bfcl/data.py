"""The tasks of the package's data folder, without their answers."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training_sandbox_bfcl import library

ROOT_VARIABLE = "BFCL_DATA"
DEFAULT_ROOT = "/opt/bfcl"

CATEGORIES = (
    "multi_turn_base",
    "multi_turn_miss_func",
    "multi_turn_miss_param",
    "multi_turn_long_context",
)

ANSWERS = "possible_answer"

_TEST_EVERY = 4
"""Each fourth number is for tests."""


class DataUnusable(RuntimeError):  # noqa: N818 (reads better where it is caught)
    """The data folder cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class TaskData:
    """What a task starts from, and what its user says.

    Attributes:
        id: For example `multi_turn_base_17`.
        turns: What the user says in each turn; None where functions appear instead.
        initial_config: The state of each class of tools.
        classes: The classes of tools.
        missing: The functions that appear in a turn, by its index; they are unknown until then.
    """

    id: str
    turns: Sequence[str | None]
    initial_config: Mapping[str, object]
    classes: Sequence[str]
    missing: Mapping[int, Sequence[str]]

    @property
    def long_context(self) -> bool:
        """Whether the state is filled up with what nobody asked for."""
        return "long_context" in self.id


def root() -> Path:
    """The data folder: BFCL_DATA, or where the image has it."""
    return Path(os.environ.get(ROOT_VARIABLE, DEFAULT_ROOT))


def require_hidden_answers(folder: Path) -> None:
    """Check that the answers are where only evaluations can read them.

    Raises:
        DataUnusable: There is no data, or the answers are among Python's libraries, which
            episodes can read.
    """
    installed = library.package_folder() / "data"
    what_to_do = f"Move {installed} there, or set {ROOT_VARIABLE} to where it was moved to."
    if not (folder / ANSWERS).is_dir():
        raise DataUnusable(f"There is no BFCL data at {folder}. {what_to_do}")
    for place in (folder, installed):
        if (place / ANSWERS).exists() and place.resolve().is_relative_to(sys.prefix):
            raise DataUnusable(f"Episodes can read the answers in {place}. {what_to_do}")


def read_tasks(folder: Path) -> Mapping[str, TaskData]:
    """All tasks, by id, in the order of the categories and of the package's files."""
    return {
        task.id: task
        for category in CATEGORIES
        for task in map(_task, read_lines(folder / file_name(category)))
    }


def splits(task_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The fixed division into train and test, each category, and all tasks by index.

    A task's number is that of its conversation, which is the same in the four categories: so all
    variants of a conversation are on one side.
    """
    numbered = [(task_id, int(task_id.rpartition("_")[2])) for task_id in task_ids]
    is_test = {task_id: number % _TEST_EVERY == _TEST_EVERY - 1 for task_id, number in numbered}
    return {
        "train": [task_id for task_id in task_ids if not is_test[task_id]],
        "test": [task_id for task_id in task_ids if is_test[task_id]],
        **{
            category: [task_id for task_id in task_ids if task_id.startswith(f"{category}_")]
            for category in CATEGORIES
        },
        "index": [str(index) for index in range(len(task_ids))],
    }


def file_name(category: str) -> str:
    """The file of a category, in the data folder and in that of the answers."""
    return f"BFCL_v4_{category}.json"


def read_lines(path: Path) -> Iterator[Any]:
    """The JSON value in each line of a file."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _task(entry: Any) -> TaskData:
    # The entry also names the functions that were used to make it, which is half of the answer.
    missing = {int(turn): tuple(names) for turn, names in entry.get("missed_function", {}).items()}
    return TaskData(
        id=entry["id"],
        turns=[_user_text(messages) for messages in entry["question"]],
        initial_config=entry["initial_config"],
        classes=tuple(entry["involved_classes"]),
        missing=missing,
    )


def _user_text(messages: Any) -> str | None:
    return messages[0]["content"] if messages else None
