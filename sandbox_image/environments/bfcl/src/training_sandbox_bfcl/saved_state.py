"""What a multi-turn episode saves, and evaluation starts from: the calls of each turn.

Evaluation executes them anew. It takes nothing else from the process that it comes from.
"""

import json
from collections.abc import Sequence
from typing import cast

MAX_BYTES = 16 * 1024 * 1024

Turns = Sequence[Sequence[str]]
"""The text of each call of each turn that was reached, see `Tools.execute`."""


class StateTampered(RuntimeError):  # noqa: N818 (reads better where it is caught)
    """The saved state is not one that an episode saves."""


def encode(turns: Turns) -> bytes:
    """The saved state of an episode that made these calls."""
    return json.dumps({"turns": turns}).encode()


def decode(state: bytes, *, most_turns: int) -> Turns:
    """The calls in a saved state; every part is checked.

    Args:
        state: What was saved.
        most_turns: How many turns the task has.

    Raises:
        StateTampered: It is nothing that `encode` returns for this task.
    """
    turns = _list(only_field(state, "turns"), "the turns are not a list")
    checked = [_calls(turn) for turn in turns]
    if not 0 < len(checked) <= most_turns:
        raise StateTampered(f"it has {len(checked)} turns, and the task has {most_turns}")
    return checked


def only_field(state: bytes, name: str) -> object:
    """The field that a saved state consists of.

    Raises:
        StateTampered: It is no object with only that field.
    """
    if len(state) > MAX_BYTES:
        raise StateTampered(f"it has {len(state)} bytes, and at most {MAX_BYTES} are read")
    try:
        content: object = json.loads(state)
    except (ValueError, RecursionError) as error:
        raise StateTampered("it is not JSON") from error
    if not isinstance(content, dict) or content.keys() != {name}:
        raise StateTampered(f"it is not an object with {name} only")
    return cast("dict[str, object]", content)[name]


def _calls(turn: object) -> list[str]:
    calls = _list(turn, "a turn is not a list of calls")
    if not all(isinstance(call, str) for call in calls):
        raise StateTampered("a call is not text")
    return cast("list[str]", calls)


def _list(value: object, otherwise: str) -> list[object]:
    if not isinstance(value, list):
        raise StateTampered(otherwise)
    return cast("list[object]", value)
