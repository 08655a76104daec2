"""Played tasks of which the score is known: each by its ground truth, and by a part of it."""

import ast
import inspect
import json
from collections.abc import Iterator, Sequence

from training_sandbox_bfcl import data
from training_sandbox_bfcl.evaluation import ground_truth
from training_sandbox_bfcl.single_turn.examples import single_turn_examples
from training_sandbox_bfcl.tools import Tools
from training_sandbox_worker.environment import Message
from training_sandbox_worker.examples import Example

_END_OF_TURN: Message = {"role": "assistant", "content": "Done."}


def examples() -> Sequence[Example]:
    """One for each task that can be solved: its ground truth, and a part of it."""
    return [*_multi_turn(), *single_turn_examples(data.root())]


def _multi_turn() -> Iterator[Example]:
    folder = data.root()
    for task in map(data.parse_task, data.read_tasks(folder).values()):
        tools = Tools(task)
        truth = ground_truth(folder, task.id)
        first = next(index for index, calls in enumerate(truth) if calls)
        without_first = [() if index == first else calls for index, calls in enumerate(truth)]
        yield Example(task.id, list(_messages(truth, tools)), list(_messages(without_first, tools)))


def _messages(turns: Sequence[Sequence[str]], tools: Tools) -> Iterator[Message]:
    for calls in turns:
        if calls:
            blocks = [f"<tool_call>\n{_call(call, tools)}\n</tool_call>" for call in calls]
            yield {"role": "assistant", "content": "\n".join(blocks)}
        yield _END_OF_TURN


def _call(text: str, tools: Tools) -> str:
    """A call of a ground truth as a model writes it, with all arguments by name."""
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call), text  # noqa: S101 (so is the package's data)
    assert isinstance(call.func, ast.Name), text  # noqa: S101 (the same)
    method = tools.method(call.func.id)
    assert method, text  # noqa: S101 (the same)
    positional = [ast.literal_eval(argument) for argument in call.args]
    named = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}
    bound = inspect.signature(method).bind(*positional, **named)
    return json.dumps({"name": call.func.id, "arguments": bound.arguments}, ensure_ascii=False)
