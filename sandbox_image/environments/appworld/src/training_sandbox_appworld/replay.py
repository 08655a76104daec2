"""Executes the changes of a saved state, and nothing else that SQL can do."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from training_sandbox_appworld.saved_state import Change, StateTampered

_ALLOWED = {
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_TRANSACTION,
}

_TOUCHED = "touched_rows"
"""A temporary table that triggers write to, and no change can."""

_ROWS = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}

_READ_BY_TEXT_SEARCH = "data_version"
"""The pragma by which the index of searchable text sees whether it is up to date."""


def replay(
    connection: sqlite3.Connection, changes: Sequence[Change], tables: Collection[str] = ()
) -> Mapping[str, Collection[int]]:
    """Execute the changes in order, all or none of them.

    Args:
        connection: The database.
        changes: What is to be changed.
        tables: Those with an `id` whose touched rows are wanted.

    Returns:
        The ids of the rows that were inserted, updated or deleted, of each of the tables.

    Raises:
        StateTampered: SQLite refuses one of them, or it does more than change rows.
    """
    _record_touched_rows(connection, tables)
    connection.set_authorizer(_authorize)
    try:
        for change in changes:
            if change.many:
                connection.executemany(change.statement, change.parameters)  # type: ignore[arg-type]
            else:
                connection.execute(change.statement, change.parameters)  # type: ignore[arg-type]
        connection.commit()
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        connection.rollback()
        raise StateTampered(f"a change cannot be made: {error}") from error
    finally:
        connection.set_authorizer(None)
    touched: defaultdict[str, set[int]] = defaultdict(set)
    for table, row in connection.execute(f"SELECT * FROM {_TOUCHED}"):  # noqa: S608 (ours)
        touched[table].add(row)
    return touched


def _record_touched_rows(connection: sqlite3.Connection, tables: Collection[str]) -> None:
    connection.execute(f"CREATE TEMPORARY TABLE {_TOUCHED} (name, id)")
    for table in tables:
        for event, rows in _ROWS.items():
            records = "".join(
                f"INSERT INTO {_TOUCHED} VALUES ('{table}', {row}.id);"  # noqa: S608 (AppWorld's)
                for row in rows
            )
            connection.execute(
                f"CREATE TEMPORARY TRIGGER {_TOUCHED}_{event}_{table} AFTER {event} ON main.{table}"
                f" BEGIN {records} END"
            )


def _authorize(
    action: int,
    first: str | None,
    second: str | None,  # noqa: ARG001 (SQLite passes it)
    database: str | None,
    trigger: str | None,
) -> int:
    if action == sqlite3.SQLITE_PRAGMA and first == _READ_BY_TEXT_SEARCH:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_INSERT and (first, database) == (_TOUCHED, "temp") and trigger:
        return sqlite3.SQLITE_OK
    if action in _ALLOWED and database in (None, "main"):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
