"""The package's data folder: its multi-turn tasks, and the answers of all."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
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

CLASSES = (
    "GorillaFileSystem",
    "MathAPI",
    "MessageAPI",
    "TicketAPI",
    "TradingBot",
    "TravelAPI",
    "TwitterAPI",
    "VehicleControlAPI",
)
"""The classes of tools that multi-turn tasks have."""

ANSWERS = "possible_answer"

_TEST_EVERY = 4


class DataUnusable(RuntimeError):  # noqa: N818 (reads better where it is caught)
    """The data folder cannot be used; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class TaskData:
    """What a task starts from, and what its user says.

    Attributes:
        id: For example `multi_turn_base_17`.
        turns: What the user says in each turn; None where functions appear instead.
        initial_config: The state of each class of tools, as JSON: it is parsed for each instance.
        classes: The classes of tools.
        missing: The functions that appear in a turn, by its index; they are unknown until then.
    """

    id: str
    turns: Sequence[str | None]
    initial_config: str
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


def read_tasks(folder: Path) -> Mapping[str, str]:
    """All tasks, by id, in the order of the categories and of the package's files.

    Each is a text, to be parsed by `parse_task` when it is played: processes that are forked from
    this one share texts, but would copy what they look at of objects.
    """
    return {
        entry["id"]: json.dumps(_without_hints(entry))
        for category in CATEGORIES
        for entry in map(json.loads, read_lines(folder / file_name(category)))
    }


def parse_task(text: str) -> TaskData:
    """A task that was read."""
    fields = json.loads(text)
    missing = {int(turn): names for turn, names in fields.pop("missing").items()}
    return TaskData(**fields, missing=missing)


def read_ground_truth(folder: Path, task_id: str) -> Any:
    """What the package has as the answer of a task.

    Args:
        folder: The data folder.
        task_id: An id in the package's data, of a category that has answers.
    """
    path = folder / ANSWERS / file_name(category_of(task_id))
    named = json.dumps(task_id)
    with path.open(encoding="utf-8") as lines:
        # The others need not be parsed.
        answer = json.loads(next(line for line in lines if named in line))
    return answer["ground_truth"]


def category_of(task_id: str) -> str:
    """The category that a task's id names."""
    return task_id.rpartition("_")[0]


def splits(task_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The fixed division into train and test, each category, and all tasks by index.

    A task's number is that of its conversation, which is the same in the four categories: so all
    variants of a conversation are on one side.
    """
    is_test = {task_id: is_for_tests(int(task_id.rpartition("_")[2])) for task_id in task_ids}
    return {
        "train": [task_id for task_id in task_ids if not is_test[task_id]],
        "test": [task_id for task_id in task_ids if is_test[task_id]],
        **{
            category: [task_id for task_id in task_ids if task_id.startswith(f"{category}_")]
            for category in CATEGORIES
        },
        "index": [str(index) for index in range(len(task_ids))],
    }


def is_for_tests(number: int) -> bool:
    """Each fourth number is for tests."""
    return number % _TEST_EVERY == _TEST_EVERY - 1


def file_name(category: str) -> str:
    """The file of a category, in the data folder and in that of the answers."""
    return f"BFCL_v4_{category}.json"


def read_lines(path: Path) -> Sequence[str]:
    """The lines of a file, a JSON value each."""
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def _without_hints(entry: Any) -> Mapping[str, object]:
    """The fields of a task; the entry also names the functions that its answer consists of."""
    return {
        "id": entry["id"],
        "turns": [_user_text(messages) for messages in entry["question"]],
        "initial_config": json.dumps(entry["initial_config"]),
        "classes": entry["involved_classes"],
        "missing": entry.get("missed_function", {}),
    }


def _user_text(messages: Any) -> str | None:
    return messages[0]["content"] if messages else None
