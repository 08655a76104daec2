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

from training_sandbox_worker.environment import Message
from training_sandbox_worker.tool_calls import Arguments, ToolCall, text_of, tool_calls

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
    if calls := tool_calls(message):
        return [_of_call(call) for call in calls]
    content = text_of(message)
    block = _BLOCK.search(content)
    if block and block[1].strip():
        return [Execute(block[1].strip())]
    if simple and content.strip():
        return [Execute(content)]
    return [Reply(_NO_CODE)]


def _of_call(call: ToolCall) -> Action:
    if call.name != TOOL:
        return Reply(f'There is no tool named "{call.name}"; the only one is "{TOOL}".\n')
    return _of_arguments(call.arguments)


def _of_arguments(arguments: Arguments) -> Action:
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
