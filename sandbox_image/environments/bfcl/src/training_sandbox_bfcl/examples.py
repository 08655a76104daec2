"""Played tasks of which the score is known: each by its ground truth, and by a part of it."""

import ast
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence

from training_sandbox_bfcl import data, library
from training_sandbox_bfcl.evaluation import ground_truth
from training_sandbox_bfcl.tools import Tools
from training_sandbox_worker.environment import Message
from training_sandbox_worker.examples import Example

_END_OF_TURN: Message = {"role": "assistant", "content": "Done."}


def examples() -> Sequence[Example]:
    """One for each task: all the calls of its ground truth, and all but those of one turn."""
    return list(_examples())


def _examples() -> Iterator[Example]:
    folder = data.root()
    for task in data.read_tasks(folder).values():
        instances = Tools(task).instances.values()
        methods = {
            name: method
            for instance in instances
            for name, method in library.public_methods(instance).items()
        }
        truth = ground_truth(folder, task.id)
        first = next(index for index, calls in enumerate(truth) if calls)
        without_first = [() if index == first else calls for index, calls in enumerate(truth)]
        yield Example(
            task.id, list(_messages(truth, methods)), list(_messages(without_first, methods))
        )


def _messages(
    turns: Sequence[Sequence[str]], methods: Mapping[str, library.Method]
) -> Iterator[Message]:
    for calls in turns:
        if calls:
            blocks = [f"<tool_call>\n{_call(call, methods)}\n</tool_call>" for call in calls]
            yield {"role": "assistant", "content": "\n".join(blocks)}
        yield _END_OF_TURN


def _call(text: str, methods: Mapping[str, library.Method]) -> str:
    """A call of a ground truth as a model writes it, with all arguments by name."""
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call), text  # noqa: S101 (so is the package's data)
    assert isinstance(call.func, ast.Name), text  # noqa: S101 (the same)
    positional = [ast.literal_eval(argument) for argument in call.args]
    named = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}
    bound = inspect.signature(methods[call.func.id]).bind(*positional, **named)
    return json.dumps({"name": call.func.id, "arguments": bound.arguments}, ensure_ascii=False)
