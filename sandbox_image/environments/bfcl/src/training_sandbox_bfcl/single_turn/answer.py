"""What an assistant answered, as the package's checkers take it, and how an episode saves it."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

from training_sandbox_bfcl.actions import Call
from training_sandbox_bfcl.saved_state import StateTampered, only_field

Answer = Sequence[Mapping[str, Mapping[str, object]]] | None
"""The calls, each a function's name with the arguments by their names; None: what was written as a
call is none, so that the answer has no calls at all."""

_DEEPEST = 64
"""Lists and objects within each other in arguments; JSON can be read and written again then."""

_FIELD = "answers"


def decode_calls(calls: Sequence[Call]) -> Answer:
    """The calls of a message, all of them or none, as the package decodes OpenAI's tool calls."""
    decoded: list[Mapping[str, Mapping[str, object]]] = []
    for call in calls:
        arguments = call.arguments
        if call.name is None or isinstance(arguments, str) or _is_deeper(arguments, _DEEPEST):
            return None
        decoded.append({call.name: arguments})
    return decoded


def encode(answers: Sequence[Answer]) -> bytes:
    """The saved state of an episode that was given these answers, one at most."""
    return json.dumps({_FIELD: answers}).encode()


def decode(state: bytes) -> Sequence[Answer]:
    """The answers in a saved state; every part is checked.

    Raises:
        StateTampered: It is nothing that `encode` returns.
    """
    answers = only_field(state, _FIELD)
    if not isinstance(answers, list) or len(cast("list[object]", answers)) > 1:
        raise StateTampered("it has no list of one answer at most")
    if not all(_is_answer(answer) for answer in cast("list[object]", answers)):
        raise StateTampered("an answer is no list of calls with arguments")
    return cast("list[Answer]", answers)


def _is_answer(value: object) -> bool:
    if not isinstance(value, list):
        return value is None
    return all(_is_call(call) for call in cast("list[object]", value))


def _is_call(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    arguments = list(cast("dict[str, object]", value).values())
    return len(arguments) == 1 and isinstance(arguments[0], dict)


def _is_deeper(value: object, most: int) -> bool:
    if isinstance(value, Mapping):
        inner = list(cast("Mapping[str, object]", value).values())
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    else:
        return False
    return most == 0 or any(_is_deeper(one, most - 1) for one in inner)
