"""Plays a few tasks in the zygote before any fork, so that episodes need not import or compile.

Nor specialise: the interpreter rewrites the code of what runs for the first times, and each process
would do so in copies of its own. Evaluation is rehearsed with a made-up truth: nothing that is
expected of a task gets into the memory that episodes are forked from.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from training_sandbox_bfcl import evaluation, saved_state
from training_sandbox_bfcl.data import CLASSES, TaskData, parse_task
from training_sandbox_bfcl.episode import BfclEpisode
from training_sandbox_bfcl.schemas import Schemas
from training_sandbox_bfcl.single_turn import answer
from training_sandbox_bfcl.single_turn.episode import SingleTurnEpisode
from training_sandbox_bfcl.single_turn.evaluation import matches
from training_sandbox_bfcl.single_turn.tasks import SingleTurnTask
from training_sandbox_worker.environment import Message

_ROUNDS = 8
"""Code that has run as often is specialised (Python 3.11)."""

_NO_CALLS = (
    '<tool_call>\n{"name": "no_such_function", "arguments": {"a": [1, "two"]}}\n</tool_call>',
    "<tool_call>\nno call\n</tool_call>",
    "Done.",
)
_VALUES: Mapping[str, object] = {
    "string": "2024-09-01",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "object": {},
}


def rehearse(tasks: Iterable[str], schemas: Schemas) -> None:
    """Play and evaluate one task for each class of tools, with calls of all of its tools."""
    texts = list(tasks)
    for class_name in CLASSES:
        task = parse_task(next(text for text in texts if f'"{class_name}"' in text))
        messages = list(_messages(schemas[class_name].values()))
        for _ in range(_ROUNDS):
            _rehearse(task, schemas, messages)


def rehearse_single_turn(task: SingleTurnTask) -> None:
    """Play and evaluate one task."""
    for _ in range(_ROUNDS):
        episode = SingleTurnEpisode(task)
        episode.initial_messages()
        episode.step(_message(_NO_CALLS[0]))
        (played,) = answer.decode(episode.save())
        matches(task, played or (), [{"no_such_function": {}}])


def _rehearse(task: TaskData, schemas: Schemas, messages: Sequence[Message]) -> None:
    episode = BfclEpisode(task, schemas)
    episode.initial_messages()
    for message in messages:
        episode.step(message)
    made_up = saved_state.decode(episode.save(), most_turns=len(task.turns))
    evaluation.score(task, made_up, made_up)


def _messages(schemas: Iterable[str]) -> Iterable[Message]:
    for schema in schemas:
        called = _made_up_call(json.loads(schema)["function"])
        yield _message(f"<tool_call>\n{json.dumps(called)}\n</tool_call>")
        yield {**_message(""), "tool_calls": [called]}
    yield from map(_message, _NO_CALLS)


def _message(content: str) -> Message:
    return {"role": "assistant", "content": content}


def _made_up_call(function: Any) -> Mapping[str, object]:
    properties = function["parameters"]["properties"]
    arguments = {name: _made_up(schema) for name, schema in properties.items()}
    return {"name": function["name"], "arguments": arguments}


def _made_up(schema: Any) -> object:
    if schema["type"] == "array":
        return [_made_up(schema["items"])]
    return _VALUES[schema["type"]]
