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
from training_sandbox_worker.tool_calls import text_of, tool_calls, written_calls

ARGUMENTS = {"search": "keywords", "click": "element"}
"""The actions, and the name of the argument of each when it is called as a tool."""

_IN_TEXT = re.compile(r"(\w+)\[((?:[^\[\]\n]|\[[^\[\]\n]*\])*)\]", re.ASCII)

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
    if calls := tool_calls(message):
        if len(calls) > 1:
            raise InvalidAction("tool_calls must be a list of one tool call")
        return _of_arguments(calls[0].name, calls[0].arguments)
    content = text_of(message)
    if written := written_calls(content):
        return _of_block(written[-1])
    found = [Action(name, argument) for name, argument in _IN_TEXT.findall(content)]
    if not found:
        raise InvalidAction(_NO_ACTION)
    return next((action for action in reversed(found) if action.name in ARGUMENTS), found[-1])


def _of_block(text: str) -> Action:
    """What a model wrote between `<tool_call>` and its end."""
    call = _json(text)
    if not isinstance(call, Mapping):
        return _NOTHING
    fields = cast("Mapping[str, object]", call)
    name, arguments = fields.get("name"), fields.get("arguments")
    if not isinstance(name, str):
        return _NOTHING
    return _of_arguments(name, arguments)


def _of_arguments(name: str, arguments: object) -> Action:
    if isinstance(arguments, str):
        arguments = _json(arguments)
    if name not in ARGUMENTS or not isinstance(arguments, Mapping):
        return _NOTHING
    argument = cast("Mapping[str, object]", arguments).get(ARGUMENTS[name])
    return Action(name, argument) if isinstance(argument, str) else _NOTHING


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
