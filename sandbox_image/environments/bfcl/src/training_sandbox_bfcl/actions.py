"""From an assistant's message to the calls in it.

What the model got wrong is kept as it stands: the package's executor has the words for it, its
checker of single-turn answers takes it for none. What the client built wrong (a `tool_calls` that
is no list of calls) is refused.
"""

import json
from collections.abc import Mapping
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
        name: The function's; None: what the model wrote is no call.
        arguments: By their names; or the text that stands in their place, or in the call's.
    """

    id: str
    name: str | None
    arguments: Mapping[str, object] | str

    @property
    def text(self) -> str:
        """What the package's executor takes: Python, for example `cd(folder='document')`."""
        given = self.arguments
        if not isinstance(given, str):
            given = ",".join(f"{key}={value!r}" for key, value in given.items())
        return given if self.name is None else f"{self.name}({given})"


def parse_message(message: Message) -> list[Call]:
    """The calls of a message, in order; none ends the turn.

    Tool calls, when there are any, go before the content.

    Raises:
        InvalidAction: The message's form is wrong.
    """
    if calls := tool_calls(message, without_arguments=True):
        return [
            _call(call.id or _id(call.name, number), call.name, call.arguments)
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
            return _call(_id(name, number), name, arguments)
    return Call(_id("call", number), None, block)


def _call(call_id: str, name: str, arguments: Arguments) -> Call:
    given = arguments or {}
    parsed = _parsed(given) if isinstance(given, str) else given
    named = cast("dict[str, object]", parsed) if isinstance(parsed, dict) else given
    return Call(call_id, name.strip(), named)


def _parsed(text: str) -> object:
    """The JSON value in a text, or the text if there is none."""
    try:
        return cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return text


def _id(name: str, number: int) -> str:
    return f"{name}_{number}"
