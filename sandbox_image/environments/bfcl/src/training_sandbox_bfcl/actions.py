"""From an assistant's message to the calls in it.

A call is handed on as the text that the package's executor takes, `name(key=value,…)`. What the
model got wrong goes there too, as it stands: the executor has the words for it. What the client
built wrong (a `tool_calls` that is no list of calls) is refused.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard, cast

from training_sandbox_worker.environment import InvalidAction, Message

Arguments = str | Mapping[str, object] | None
"""An object, or the text of one; no arguments may be nothing at all."""

_BLOCK = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)


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
    calls = message.get("tool_calls")
    if calls:
        if not isinstance(calls, list):
            raise InvalidAction("tool_calls must be a list of tool calls")
        return [
            _tool_call(call, f"tool_calls[{index}]", index + 1)
            for index, call in enumerate(cast("list[object]", calls))
        ]
    content = message.get("content") or ""
    if not isinstance(content, str):
        raise InvalidAction("content must be a string")
    blocks = [block.strip() for block in _BLOCK.findall(content)]
    written = [block for block in blocks if block]
    return [_block(block, number) for number, block in enumerate(written, 1)]


def _tool_call(call: object, where: str, number: int) -> Call:
    """One call, flat (`name`, `arguments`) or in OpenAI's form (the same below `function`)."""
    if not isinstance(call, Mapping):
        raise InvalidAction(f"{where} must be an object")
    outer = fields = cast("Mapping[str, object]", call)
    function = fields.get("function")
    if isinstance(function, Mapping):
        fields, where = cast("Mapping[str, object]", function), f"{where}.function"
    name, arguments = fields.get("name"), fields.get("arguments")
    if not isinstance(name, str):
        raise InvalidAction(f"{where}.name must be a string")
    if not _are_arguments(arguments):
        raise InvalidAction(f"{where}.arguments must be an object or a string of JSON")
    call_id = outer.get("id")
    return Call(
        call_id if isinstance(call_id, str) and call_id else _id(name, number),
        _text(name, arguments),
    )


def _block(block: str, number: int) -> Call:
    """A block of text: an object with a name and arguments, or else whatever it is."""
    parsed = _parsed(block)
    if isinstance(parsed, dict):
        fields = cast("dict[str, object]", parsed)
        name, arguments = fields.get("name"), fields.get("arguments")
        if isinstance(name, str) and _are_arguments(arguments):
            return Call(_id(name, number), _text(name, arguments))
    return Call(_id("call", number), block)


def _are_arguments(value: object) -> TypeGuard[Arguments]:
    return isinstance(value, str | Mapping | None)


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
