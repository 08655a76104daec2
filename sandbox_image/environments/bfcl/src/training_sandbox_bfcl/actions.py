"""From an assistant's message to the calls in it.

A call is handed on as the text that the package's executor takes, `name(key=value,…)`. What the
model got wrong goes there too, as it stands: the executor has the words for it. What the client
built wrong (a `tool_calls` that is no list of calls) is refused.
"""

import json
from dataclasses import dataclass
from typing import cast

from training_sandbox_worker.environment import Message
from training_sandbox_worker.tool_calls import (
    Arguments,
    are_arguments,
    text_of,
    tool_calls,
    written_calls,
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a model wants executed.

    Attributes:
        id: What the result is named by.
        text: Python, for example `cd(folder='document')`.
    """

    id: str
    text: str


def parse_message(message: Message) -> list[Call]:
    """The calls of a message, in order; none ends the turn.

    Tool calls, when there are any, go before the content.

    Raises:
        InvalidAction: The message's form is wrong.
    """
    if calls := tool_calls(message, without_arguments=True):
        return [
            Call(call.id or _id(call.name, number), _text(call.name, call.arguments))
            for number, call in enumerate(calls, 1)
        ]
    written = [stripped for block in written_calls(text_of(message)) if (stripped := block.strip())]
    return [_block(block, number) for number, block in enumerate(written, 1)]


def _block(block: str, number: int) -> Call:
    """A block of text: an object with a name and arguments, or else whatever it is."""
    parsed = _parsed(block)
    if isinstance(parsed, dict):
        fields = cast("dict[str, object]", parsed)
        name, arguments = fields.get("name"), fields.get("arguments")
        if isinstance(name, str) and are_arguments(arguments, without_arguments=True):
            return Call(_id(name, number), _text(name, arguments))
    return Call(_id("call", number), block)


def _text(name: str, arguments: Arguments) -> str:
    given = arguments or {}
    if isinstance(given, str):
        parsed = _parsed(given)
        if not isinstance(parsed, dict):
            return f"{name.strip()}({given})"
        given = cast("dict[str, object]", parsed)
    return f"{name.strip()}({','.join(f'{key}={value!r}' for key, value in given.items())})"


def _parsed(text: str) -> object:
    """The JSON value in a text, or the text if there is none."""
    try:
        return cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return text


def _id(name: str, number: int) -> str:
    return f"{name}_{number}"
