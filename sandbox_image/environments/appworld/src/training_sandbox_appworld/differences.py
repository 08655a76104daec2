"""Finds what differs between a task's start and its end among the rows that changes have touched.

AppWorld compares the ids and hashes of all rows of both states, which takes longer than all else in
an evaluation. A row that no change has touched is the same in both. So AppWorld gets those that
were, and what it makes of them is what it would make of all.
"""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from training_sandbox_appworld import library
from training_sandbox_appworld.databases import Databases

Value = TypeVar("Value")
Model = tuple[str, str]
"""The names of an app and of one of its models."""

IdsAndHashes = list[tuple[int, str | None]]

Touched = Mapping[str, Mapping[str, Collection[int]]]
"""The ids of the rows that were touched, of each table of each app."""

Memory = Mapping[str, object]
"""What a collection has read of each model, by the attribute in which it keeps it."""

_MEMORY = ("_ids_record_hashes", "_ids", "_record_hashes")
_START, _END = 0, 1


class _Rows(NamedTuple):
    """The touched rows of a model.

    Attributes:
        states: Those that are there at the start, and at the end, in the order of their ids.
        elsewhere: The hashes among theirs that untouched rows have as well.
    """

    states: tuple[IdsAndHashes, IdsAndHashes]
    elsewhere: frozenset[str | None]


class _Made(dict[Model, Value]):
    """What AppWorld remembers of each model, made when it is looked up."""

    def __init__(self, make: Callable[[Model], Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, model: Model) -> Value:
        self[model] = self._make(model)
        return self[model]


def make_pair(start: Any, end: Any, databases: Databases, touched: Touched) -> Any:
    """The collections of both states as AppWorld's tests get them.

    Args:
        start: The collection of the start.
        end: The collection of the end.
        databases: Those of the task, in which the changes were made.
        touched: What `databases.make_changes` returned.
    """
    return _pair_class()(start, end, databases, touched)


def leave_out_empty_queries() -> None:
    """Let AppWorld look for no row when it looks for the rows of no ids."""
    model: Any = library.module("apps.model_lib").SQLModel
    look: Callable[..., list[object]] = model.by_ids.__func__

    def by_ids(cls: Any, ids: Collection[int], **conditions: object) -> list[object]:
        return look(cls, ids, **conditions) if ids or conditions else []

    model.by_ids = classmethod(by_ids)


@cache
def _pair_class() -> Any:
    base: Any = library.module("collections.models").ModelCollectionPair

    class Pair(base):
        def __init__(
            self: Any, start: Any, end: Any, databases: Databases, touched: Touched
        ) -> None:
            base.__init__(self, start.from_db_home_path, start, end.to_db_home_path, end)
            rows = _Made[_Rows](lambda model: _read(model, start, databases, touched))
            self._memories = [_memory(rows, state) for state in (_START, _END)]

        def _changed_model_names(self: Any, *arguments: object, **named: object) -> object:
            with _looking_at(self._memories, self._start, self._end):
                return base._changed_model_names(self, *arguments, **named)  # noqa: SLF001

        def _changed_records(self: Any, *arguments: object, **named: object) -> object:
            with _looking_at(self._memories, self._start, self._end):
                return base._changed_records(self, *arguments, **named)  # noqa: SLF001

    return Pair


@contextlib.contextmanager
def _looking_at(memories: Sequence[Memory], *collections: Any) -> Generator[None]:
    """Let collections remember that they have read only this."""
    before = [{name: one[name] for name in _MEMORY} for one in collections]
    for one, memory in zip(collections, memories, strict=True):
        one.update(memory)
    try:
        yield
    finally:
        for one, memory in zip(collections, before, strict=True):
            one.update(memory)


def _memory(rows: Mapping[Model, _Rows], state: int) -> Memory:
    """What a collection would have read, of touched rows alone."""

    def ids_and_hashes(model: Model) -> IdsAndHashes:
        return rows[model].states[state]

    def ids(model: Model) -> set[int]:
        return {row for row, _ in rows[model].states[state]}

    def hashes(model: Model) -> set[str | None]:
        # AppWorld asks whether a row's hash is one of the other state's, of whichever row, and
        # whether both states have the same hashes.
        return {of_row for _, of_row in rows[model].states[state]}.union(rows[model].elsewhere)

    made = (_Made(ids_and_hashes), _Made(ids), _Made(hashes))
    return dict(zip(_MEMORY, made, strict=True))


def _read(model: Model, collection: Any, databases: Databases, touched: Touched) -> _Rows:
    app, name = model
    table: str = collection[app][name].table_name
    ids = touched.get(app, {}).get(table)
    if not ids:
        return _Rows(([], []), frozenset())
    start, end = databases.states(app)
    states = _read_rows(start, table, ids), _read_rows(end, table, ids)
    return _Rows(states, _read_hashes_elsewhere(start, table, ids, states))


def _read_rows(state: sqlite3.Connection, table: str, ids: Collection[int]) -> IdsAndHashes:
    query = (
        f"SELECT id, record_hash FROM {table}"  # noqa: S608 (AppWorld's name)
        " WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
    )
    return state.execute(query, [json.dumps(list(ids))]).fetchall()


def _read_hashes_elsewhere(
    start: sqlite3.Connection,
    table: str,
    ids: Collection[int],
    states: tuple[IdsAndHashes, IdsAndHashes],
) -> frozenset[str | None]:
    """Looks at all rows, but only where it matters whether an untouched row has a hash.

    It does not when no row is in both states and one has more rows: nothing was updated, and the
    models differ.
    """
    before, after = (dict(state) for state in states)
    hashes = {*before.values(), *after.values()}
    unequal = len(before) != len(after) and before.keys().isdisjoint(after)
    if unequal or set(before.values()) == set(after.values()):
        return frozenset()
    query = (
        f"SELECT DISTINCT record_hash FROM {table}"  # noqa: S608 (AppWorld's name)
        " WHERE (record_hash IN (SELECT value FROM json_each(?)) OR (record_hash IS NULL AND ?))"
        " AND id NOT IN (SELECT value FROM json_each(?))"
    )
    arguments = [json.dumps(list(hashes)), None in hashes, json.dumps(list(ids))]
    return frozenset(of_row for (of_row,) in start.execute(query, arguments))
