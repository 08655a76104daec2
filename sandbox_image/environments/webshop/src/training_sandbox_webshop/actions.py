"""From an assistant's message to the one action that it takes.

Two kinds of mistake are told apart. An action that cannot be done (an unknown name, an element that
is not there, arguments of a wrong form) is one that leaves the page as it is, as in WebShop. A
message without an action, or of a wrong form, is refused.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from training_sandbox_worker.environment import InvalidAction, Message

ARGUMENTS = {"search": "keywords", "click": "element"}
"""The actions, and the name of the argument of each when it is called as a tool."""

_IN_TEXT = re.compile(r"(\w+)\[((?:[^\[\]\n]|\[[^\[\]\n]*\])*)\]", re.ASCII)
_TOOL_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)

_NO_ACTION = (
    "content has no action: write search[keywords] or click[element], "
    "or call the tool search or click"
)


@dataclass(frozen=True, slots=True)
class Action:
    """What is done.

    Attributes:
        name: `search` or `click`; nothing happens with another name.
        argument: The keywords, or the text of the element.
    """

    name: str
    argument: str


_NOTHING = Action("", "")


def parse_message(message: Message) -> Action:
    """The action of a message.

    A call in `tool_calls` goes before the content, and a `<tool_call>` block in the content before
    `search[…]` or `click[…]` in it. Of several in the content the last one counts, because models
    think before they act.

    Raises:
        InvalidAction: There is no action, or more than one in `tool_calls`, or the message's form
            is wrong.
    """
    calls = message.get("tool_calls")
    if calls:
        if not isinstance(calls, list) or len(cast("list[object]", calls)) != 1:
            raise InvalidAction("tool_calls must be a list of one tool call")
        return _of_call(cast("list[object]", calls)[0])
    content = message.get("content") or ""
    if not isinstance(content, str):
        raise InvalidAction("content must be a string")
    blocks = _TOOL_CALL.findall(content)
    if blocks:
        return _of_block(blocks[-1])
    found = [Action(name, argument) for name, argument in _IN_TEXT.findall(content)]
    if not found:
        raise InvalidAction(_NO_ACTION)
    return next((action for action in reversed(found) if action.name in ARGUMENTS), found[-1])


def _of_call(call: object) -> Action:
    """A call, flat (`name`, `arguments`) or in OpenAI's form (the same below `function`)."""
    where = "tool_calls[0]"
    if not isinstance(call, Mapping):
        raise InvalidAction(f"{where} must be an object")
    fields = cast("Mapping[str, object]", call)
    function = fields.get("function")
    if isinstance(function, Mapping):
        fields, where = cast("Mapping[str, object]", function), f"{where}.function"
    name, arguments = fields.get("name"), fields.get("arguments")
    if not isinstance(name, str):
        raise InvalidAction(f"{where}.name must be a string")
    if isinstance(arguments, str):
        return _of_arguments(name, _json(arguments))
    if not isinstance(arguments, Mapping):
        raise InvalidAction(f"{where}.arguments must be an object or a string of JSON")
    return _of_arguments(name, cast("object", arguments))


def _of_block(text: str) -> Action:
    """What a model wrote between `<tool_call>` and its end."""
    call = _json(text)
    if not isinstance(call, Mapping):
        return _NOTHING
    fields = cast("Mapping[str, object]", call)
    name, arguments = fields.get("name"), fields.get("arguments")
    if not isinstance(name, str):
        return _NOTHING
    return _of_arguments(name, _json(arguments) if isinstance(arguments, str) else arguments)


def _of_arguments(name: str, arguments: object) -> Action:
    if name not in ARGUMENTS or not isinstance(arguments, Mapping):
        return _NOTHING
    argument = cast("Mapping[str, object]", arguments).get(ARGUMENTS[name])
    return Action(name, argument) if isinstance(argument, str) else _NOTHING


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
