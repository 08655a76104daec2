"""The engines by which AppWorld uses a database: like its own, without what events cost.

AppWorld tracks changes by an event of SQLAlchemy, for which every connection makes listeners for
all events of each statement; there is one connection a query. What is tracked is the same here.
"""

import sqlite3
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from training_sandbox_appworld import library
from training_sandbox_appworld.row_values import load_json

_NO_CHANGE = "SELECT"
_EXECUTES_MANY = {"do_execute": False, "do_executemany": True}
"""What a dialect executes a statement by, and whether once for each of several parameters."""


def make_engine(connection: sqlite3.Connection) -> Any:
    """An engine made as AppWorld makes its own, whose only connection is this one."""
    engine: Any = import_module("sqlmodel").create_engine(
        "sqlite://",
        creator=lambda: engine.connection,
        poolclass=import_module("sqlalchemy.pool").StaticPool,
        json_deserializer=load_json,
    )
    engine.connection = connection
    return engine


def change_connection(engine: Any, connection: sqlite3.Connection) -> None:
    """Give an engine another connection: it keeps the queries that it has compiled."""
    engine.connection = connection
    engine.dispose(close=False)


def make_tracker(engine: Any) -> Any:
    """What AppWorld keeps an engine's changes in; it has not started."""
    return _tracker_class()(engine)


@cache
def _tracker_class() -> Any:
    base: Any = library.module("apps.model_lib").DBChangesTracker

    class Tracker(base):
        """Is told of a statement by the engine's dialect, which executes it."""

        def start(self: Any) -> Any:
            dialect = self.engine.dialect
            for name, many in _EXECUTES_MANY.items():
                setattr(dialect, name, _and_tell(self.listener, getattr(dialect, name), many=many))
            return self

        def stop(self: Any) -> None:
            dialect: object = self.engine.dialect
            for name in _EXECUTES_MANY:
                if name in vars(dialect):
                    delattr(dialect, name)

    return Tracker


def _and_tell(tell: Callable[..., None], execute: Callable[..., None], *, many: bool) -> Any:
    def execute_and_tell(
        cursor: sqlite3.Cursor, statement: str, parameters: object, context: object = None
    ) -> None:
        execute(cursor, statement, parameters, context)
        if not statement.startswith(_NO_CHANGE):
            tell(None, cursor, statement, parameters, context, many)

    return execute_and_tell
