"""What an episode saves, and evaluation starts from: the changes of rows since the task started.

Agent code ran in the process that it comes from, and evaluation executes the SQL in it. So it is
checked against the only three forms of statement that AppWorld's models execute.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

MAX_BYTES = 64 * 1024 * 1024

_NAME = r'"?\w+"?'
_PLACEHOLDER = r"(?:\?|:\w+)"
_ID = rf"(?:{_NAME}\.)?id[ ]=[ ]{_PLACEHOLDER}"
_ASSIGNMENT = rf"{_NAME}[ ]?=[ ]?{_PLACEHOLDER}"
_CHANGE_OF_ROWS = re.compile(
    rf"""
    INSERT[ ]INTO[ ]"?(?P<into>\w+)"?[ ]\({_NAME}(?:,[ ]{_NAME})*\)
        [ ]VALUES[ ]\({_PLACEHOLDER}(?:,[ ]{_PLACEHOLDER})*\)
    | UPDATE[ ]"?(?P<updated>\w+)"?[ ]SET[ ]{_ASSIGNMENT}(?:,[ ]{_ASSIGNMENT})*[ ]WHERE[ ]{_ID}
    | DELETE[ ]FROM[ ]"?(?P<deleted>\w+)"?[ ]WHERE[ ]{_ID}
    """,
    re.ASCII | re.VERBOSE,
)

_SQLITES_OWN = re.compile(r"sqlite_|\w+_fts_(?:data|idx|content|docsize|config)\Z", re.IGNORECASE)
"""Tables in which SQLite keeps its schema and the indexes of searchable text."""

_LONGEST_QUOTE = 200

Value = str | int | float | None
Parameters = Sequence[Value] | Mapping[str, Value]


class StateTampered(RuntimeError):  # noqa: N818 (reads better where it is caught)
    """The saved state has something in it that AppWorld does not save."""


class Change(NamedTuple):
    """A statement that was executed, in the form in which AppWorld keeps it.

    Attributes:
        statement: An INSERT, UPDATE or DELETE of rows.
        parameters: Of the statement; with `many` a list of them.
        many: Whether it was executed once for each of several parameters.
    """

    statement: str
    parameters: Parameters | Sequence[Parameters]
    many: bool

    @property
    def table(self) -> str:
        """The table whose rows change.

        Raises:
            StateTampered: The statement does something else.
        """
        match = _CHANGE_OF_ROWS.fullmatch(" ".join(self.statement.split()))
        table = match and (match["into"] or match["updated"] or match["deleted"])
        if not table or _SQLITES_OWN.match(table):
            quoted = repr(self.statement)[:_LONGEST_QUOTE]
            raise StateTampered(f"a statement does not change rows: {quoted}")
        return table


Changes = Mapping[str, Sequence[Change]]
"""The changes of each app, in order."""


def encode(changes: Changes) -> bytes:
    """The saved state of an episode that made these changes."""
    return json.dumps(changes).encode()


def decode(state: bytes) -> Changes:
    """The changes in a saved state; every part is checked.

    Raises:
        StateTampered: It is nothing that `encode` returns.
    """
    if len(state) > MAX_BYTES:
        raise StateTampered(f"it has {len(state)} bytes, and at most {MAX_BYTES} are read")
    try:
        content: object = json.loads(state)
    except (ValueError, RecursionError) as error:
        raise StateTampered("it is not JSON") from error
    if not isinstance(content, dict):
        raise StateTampered("it is not an object with the changes of each app")
    return {
        app: [_change(change) for change in _list(of_app, f"the changes of {app!r}")]
        for app, of_app in cast("dict[str, object]", content).items()
    }


def _change(value: object) -> Change:
    parts = _list(value, "a change")
    if len(parts) != len(Change._fields):
        raise StateTampered(f"a change does not have {', '.join(Change._fields)}")
    statement, parameters, many = parts
    if not isinstance(statement, str) or not isinstance(many, bool):
        raise StateTampered("a change has a part of a wrong type")
    if many:
        sets = [_parameters(one) for one in _list(parameters, "the parameters of many")]
        change = Change(statement, sets, many)
    else:
        change = Change(statement, _parameters(parameters), many)
    assert change.table  # noqa: S101 (raises, if there is none)
    return change


def _parameters(value: object) -> Parameters:
    if isinstance(value, dict):
        named = cast("dict[str, Value]", value)
        _check_values(list(named.values()))
        return named
    unnamed = cast("list[Value]", _list(value, "the parameters of a change"))
    _check_values(unnamed)
    return unnamed


def _check_values(values: Sequence[object]) -> None:
    if not all(value is None or isinstance(value, str | int | float) for value in values):
        raise StateTampered("a parameter is neither text, nor a number, nor null")


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise StateTampered(f"{what} must be a list")
    return cast("list[object]", value)
