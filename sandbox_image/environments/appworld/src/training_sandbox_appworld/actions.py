"""From an assistant's message to the code that it wants executed.

Two kinds of mistake are told apart. What the model wrote (no code block, an unknown tool,
arguments that are not JSON) is answered with an observation, from which it can learn. What the
client built (a `tool_calls` that is no list of calls) is refused.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from training_sandbox_worker.environment import InvalidAction, Message

TOOL = "appworld"

_BLOCK = re.compile(r"```python[ \t]*\r?\n(.*?)(?:```|\Z)", re.DOTALL)

_NO_CODE = (
    "No code was found, and nothing was executed. Write one block of Python that starts with "
    "```python on a line of its own and ends with ``` on a line of its own.\n"
)


@dataclass(frozen=True, slots=True)
class Execute:
    """Code to execute."""

    code: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A mistake of the model, and what to tell it."""

    text: str


Action = Execute | Reply


def parse_message(message: Message, *, simple: bool) -> list[Action]:
    """The actions of a message, in order; at least one.

    Tool calls, when there are any, go before the content. In the content the first ```python block
    counts, even when it is not closed.

    Args:
        message: The assistant's message.
        simple: Content without a block is code as a whole.

    Raises:
        InvalidAction: The message's form is wrong.
    """
    calls = message.get("tool_calls")
    if calls:
        if not isinstance(calls, list):
            raise InvalidAction("tool_calls must be a list of tool calls")
        return [
            _parse_call(call, f"tool_calls[{index}]")
            for index, call in enumerate(cast("list[object]", calls))
        ]
    content = message.get("content") or ""
    if not isinstance(content, str):
        raise InvalidAction("content must be a string")
    block = _BLOCK.search(content)
    if block and block[1].strip():
        return [Execute(block[1].strip())]
    if simple and content.strip():
        return [Execute(content)]
    return [Reply(_NO_CODE)]


def _parse_call(call: object, where: str) -> Action:
    """One call, flat (`name`, `arguments`) or in OpenAI's form (the same below `function`)."""
    if not isinstance(call, Mapping):
        raise InvalidAction(f"{where} must be an object")
    fields = cast("Mapping[str, object]", call)
    function = fields.get("function")
    if isinstance(function, Mapping):
        fields, where = cast("Mapping[str, object]", function), f"{where}.function"
    name, arguments = fields.get("name"), fields.get("arguments")
    if not isinstance(name, str):
        raise InvalidAction(f"{where}.name must be a string")
    if not isinstance(arguments, str | Mapping):
        raise InvalidAction(f"{where}.arguments must be an object or a string of JSON")
    if name != TOOL:
        return Reply(f'There is no tool named "{name}"; the only one is "{TOOL}".\n')
    return _parse_arguments(cast("str | Mapping[str, object]", arguments))


def _parse_arguments(arguments: str | Mapping[str, object]) -> Action:
    parsed: object = arguments
    if isinstance(arguments, str):
        try:
            parsed = json.loads(arguments)
        except (ValueError, RecursionError) as error:
            return Reply(f"The arguments of {TOOL} are not valid JSON: {error}\n")
    code = cast("Mapping[str, object]", parsed).get("code") if isinstance(parsed, Mapping) else None
    if not isinstance(code, str):
        return Reply(f'The arguments of {TOOL} must be an object with a string "code".\n')
    return Execute(code)
