"""Answers of which the score is known, made from the ground truths."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from training_sandbox_bfcl.data import read_ground_truth
from training_sandbox_bfcl.single_turn.tasks import (
    UNANSWERABLE,
    WITHOUT_ANSWERS,
    SingleTurnTask,
    parse_task,
    read_tasks,
)
from training_sandbox_worker.environment import Message
from training_sandbox_worker.examples import Example

Calls = Sequence[tuple[str, Mapping[str, object]]]
"""The function's name and its arguments, of each."""

_NO_CALL: Message = {"role": "assistant", "content": "None of the functions can be used."}
_EMPTY = ""
"""Among the values that are allowed: that the parameter may be missing, or an empty text."""


def single_turn_examples(folder: Path) -> Iterator[Example]:
    """One for each task that can be answered; the wrong answer lacks a call, or has one too many.

    Args:
        folder: The data folder.
    """
    for task_id, line in read_tasks(folder).items():
        if task_id not in UNANSWERABLE:
            calls = right_calls(folder, parse_task(line))
            wrong = calls[:-1] or ([] if calls else [("any", {})])
            yield Example(task_id, [as_message(calls)], [as_message(wrong)])


def right_calls(folder: Path, task: SingleTurnTask) -> Calls:
    """What is right to answer: of all that is allowed the first, where anything is asked for."""
    if "irrelevance" in task.category:
        return []
    if task.category in WITHOUT_ANSWERS:
        return [(task.functions[0]["name"], {})]
    functions = {function["name"]: function for function in task.functions}
    expected = cast("list[dict[str, dict[str, Any]]]", read_ground_truth(folder, task.id))
    return [
        (name, _arguments(allowed, functions[name]["parameters"]))
        for call in expected
        for name, allowed in call.items()
    ]


def as_message(calls: Calls) -> Message:
    """The message of an assistant that makes these calls."""
    if not calls:
        return _NO_CALL
    blocks = [json.dumps({"name": name, "arguments": given}) for name, given in calls]
    content = "\n".join(f"<tool_call>\n{block}\n</tool_call>" for block in blocks)
    return {"role": "assistant", "content": content}


def _arguments(
    allowed: Mapping[str, Sequence[Any]], parameters: Mapping[str, Any]
) -> Mapping[str, object]:
    firsts = _first_of_each(allowed).items()
    given = {name: _value(value) for name, value in firsts if name in parameters["properties"]}
    # One that is required may have to be empty.
    return dict.fromkeys(parameters["required"], _EMPTY) | given


def _first_of_each(allowed: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
    firsts = ((name, [one for one in values if one != _EMPTY]) for name, values in allowed.items())
    return {name: values[0] for name, values in firsts if values}


def _value(allowed: Any) -> object:
    """An allowed value, in which objects have allowed values in turn."""
    if isinstance(allowed, dict):
        return _first_of_each(cast("dict[str, Sequence[Any]]", allowed))
    if isinstance(allowed, list):
        return [_value(one) for one in cast("list[Any]", allowed)]
    return allowed
