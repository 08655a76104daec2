"""The calls of tools in an assistant's message, in the forms that clients send them in.

What the client built wrong is refused here; what the model wrote wrong is for the environment to
answer.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard, cast

from training_sandbox_worker.environment import InvalidAction, Message

Arguments = Mapping[str, object] | str | None
"""An object, or the text that should be one, or nothing."""

_WRITTEN = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call.

    Attributes:
        name: The tool's.
        arguments: As they came.
        id: What the client calls it by; None: nothing.
    """

    name: str
    arguments: Arguments
    id: str | None = None


def tool_calls(message: Message, *, without_arguments: bool = False) -> Sequence[ToolCall]:
    """The calls in `tool_calls`, flat (`name`, `arguments`) or in OpenAI's form (`function`).

    Args:
        message: The message.
        without_arguments: Whether a call may have no arguments at all.

    Raises:
        InvalidAction: `tool_calls` is no list of calls.
    """
    calls = message.get("tool_calls")
    if not calls:
        return ()
    if not isinstance(calls, list):
        raise InvalidAction("tool_calls must be a list of tool calls")
    return [
        _tool_call(call, f"tool_calls[{index}]", without_arguments=without_arguments)
        for index, call in enumerate(cast("list[object]", calls))
    ]


def text_of(message: Message) -> str:
    """The content; empty where there is none.

    Raises:
        InvalidAction: It is no text.
    """
    content = message.get("content") or ""
    if not isinstance(content, str):
        raise InvalidAction("content must be a string")
    return content


def written_calls(text: str) -> list[str]:
    """What a model wrote between each `<tool_call>` and its end, or that of the text."""
    return _WRITTEN.findall(text)


def are_arguments(value: object, *, without_arguments: bool) -> TypeGuard[Arguments]:
    """Whether a value has the form of arguments."""
    return isinstance(value, str | Mapping) or (without_arguments and value is None)


def _tool_call(call: object, where: str, *, without_arguments: bool) -> ToolCall:
    if not isinstance(call, Mapping):
        raise InvalidAction(f"{where} must be an object")
    outer = fields = cast("Mapping[str, object]", call)
    function = fields.get("function")
    if isinstance(function, Mapping):
        fields, where = cast("Mapping[str, object]", function), f"{where}.function"
    name, arguments, call_id = fields.get("name"), fields.get("arguments"), outer.get("id")
    if not isinstance(name, str):
        raise InvalidAction(f"{where}.name must be a string")
    if not are_arguments(arguments, without_arguments=without_arguments):
        raise InvalidAction(f"{where}.arguments must be an object or a string of JSON")
    return ToolCall(name, arguments, call_id if isinstance(call_id, str) and call_id else None)
