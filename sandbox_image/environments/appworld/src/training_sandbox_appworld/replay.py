"""Executes the changes of a saved state, and nothing else that SQL can do."""

import sqlite3
from collections.abc import Sequence

from training_sandbox_appworld.saved_state import Change, StateTampered

_ALLOWED = {
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_TRANSACTION,
}

_READ_BY_TEXT_SEARCH = "data_version"
"""The pragma by which the index of searchable text sees whether it is up to date."""


def replay(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    """Execute the changes in order, all or none of them.

    Raises:
        StateTampered: SQLite refuses one of them, or it does more than change rows.
    """
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


def _authorize(
    action: int,
    first: str | None,
    second: str | None,  # noqa: ARG001 (SQLite passes it)
    database: str | None,
    trigger: str | None,  # noqa: ARG001 (the same)
) -> int:
    if action == sqlite3.SQLITE_PRAGMA and first == _READ_BY_TEXT_SEARCH:
        return sqlite3.SQLITE_OK
    if action in _ALLOWED and database in (None, "main"):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
