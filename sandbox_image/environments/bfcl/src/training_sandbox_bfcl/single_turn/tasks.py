"""The single-turn tasks of the package's data folder, without their answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training_sandbox_bfcl.data import category_of, file_name, is_for_tests
from training_sandbox_worker.environment import Message

WITH_ANSWERS = (
    "simple_python",
    "multiple",
    "parallel",
    "parallel_multiple",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
)
WITHOUT_ANSWERS = ("irrelevance", "live_irrelevance", "live_relevance")
"""Where it matters only whether anything is called."""

CATEGORIES = WITH_ANSWERS + WITHOUT_ANSWERS

UNANSWERABLE = frozenset(
    {
        "live_simple_106-63-0",
        "live_simple_112-68-0",
        "live_multiple_862-181-3",
        "live_multiple_964-207-0",
    }
)
"""The checker accepts no answer: a parameter is expected that the function does not have, one that
it requires is not, or no value of one is allowed."""


@dataclass(frozen=True, slots=True)
class SingleTurnTask:
    """A question, and the functions that can be called.

    Attributes:
        id: For example `simple_python_17`, or `live_simple_19-3-15`.
        messages: The last one is the user's; there may be others before it, of all roles.
        functions: The package's descriptions.
    """

    id: str
    messages: Sequence[Message]
    functions: Sequence[Any]

    @property
    def category(self) -> str:
        """The package's name of the tasks that are scored like this one."""
        return category_of(self.id)


def read_tasks(folder: Path) -> Mapping[str, bytes]:
    """All tasks, by id, in the order of the categories and of the package's files.

    Each is the line of its file, which tells nothing of the answer, to be parsed by `parse_task`
    when it is played: parsed, they would take the zygote's time and several times the memory.
    """
    return {
        _id_in(line): line
        for category in CATEGORIES
        for line in (folder / file_name(category)).read_bytes().splitlines()
    }


def parse_task(line: bytes) -> SingleTurnTask:
    """A task that was read."""
    entry = json.loads(line)
    return SingleTurnTask(entry["id"], entry["question"][0], entry["function"])


def splits(task_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Each category, all of them, and a fixed division of those that can be answered."""
    answerable = [task_id for task_id in task_ids if task_id not in UNANSWERABLE]
    is_test = {task_id: is_for_tests(_number(task_id)) for task_id in answerable}
    return {
        **{
            category: [task_id for task_id in task_ids if category_of(task_id) == category]
            for category in CATEGORIES
        },
        "single_turn": task_ids,
        "train_single_turn": [task_id for task_id in answerable if not is_test[task_id]],
        "test_single_turn": [task_id for task_id in answerable if is_test[task_id]],
    }


def _id_in(line: bytes) -> str:
    """The id is the first field: `{"id": "simple_python_17", …`."""
    return line.split(b'"', 4)[3].decode()


def _number(task_id: str) -> int:
    """The number of a task, or of its functions where several tasks of a category have the same.

    In `live_simple_19-3-15`, 3 is that of the functions, and 15 counts the questions about them.
    """
    number, *of_functions = task_id.rpartition("_")[2].split("-")
    return int(of_functions[0] if of_functions else number)
