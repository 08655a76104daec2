"""The verdict on an answer, which is that of the package's own checker."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from training_sandbox_bfcl import library
from training_sandbox_bfcl.data import read_ground_truth
from training_sandbox_bfcl.single_turn.answer import Answer
from training_sandbox_bfcl.single_turn.tasks import WITHOUT_ANSWERS, SingleTurnTask


def is_right(folder: Path, task: SingleTurnTask, answer: Answer) -> bool:
    """Whether an answer is right.

    Args:
        folder: The data folder.
        task: The task.
        answer: See `decode_calls`.
    """
    if task.category in WITHOUT_ANSWERS:
        return bool(answer) != ("irrelevance" in task.category)
    return answer is not None and matches(task, answer, read_ground_truth(folder, task.id))


def matches(
    task: SingleTurnTask,
    calls: Sequence[Mapping[str, Mapping[str, object]]],
    expected: Sequence[object],
) -> bool:
    """Whether calls are those that are expected, in the eyes of the package's checker."""
    offered = {function["name"].replace(".", "_"): function["name"] for function in task.functions}
    named_as_offered = [
        {offered.get(name, name): arguments for name, arguments in call.items()} for call in calls
    ]
    try:
        return library.answer_matches(task.category, task.functions, named_as_offered, expected)
    except OverflowError:
        # The checker converts integers to floats where a function takes a float.
        return False
