"""The engines track what AppWorld's own track."""

import sqlite3
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from training_sandbox_appworld import library
from training_sandbox_appworld.engines import change_connection, make_engine, make_tracker


def _connect() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name)")
    connection.commit()
    return connection


def _change(engine: Any) -> None:
    with Session(engine) as session:
        session.execute(text("INSERT INTO users (name) VALUES (:name)"), {"name": "a"})
        session.execute(
            text("  insert INTO users (name) VALUES (:name)\n"), [{"name": "b"}, {"name": "c"}]
        )
        session.execute(text("SELECT * FROM users")).all()
        session.execute(text("WITH one AS (SELECT 1) SELECT * FROM one")).all()
        session.execute(text("UPDATE users SET name = 'd' WHERE id = 1"))
        session.execute(text("CREATE TABLE more (id)"))
        session.execute(text("DROP TABLE more"))
        session.commit()
        session.execute(text("DELETE FROM users WHERE id = :id"), {"id": 2})
        session.rollback()
        with pytest.raises(IntegrityError):
            session.execute(text("INSERT INTO users (id) VALUES (1)"))


def _changes(engine: Any, tracker: Any) -> list[tuple[str, object, bool]]:
    _change(engine)
    tracker.start()
    _change(engine)
    tracker.stop()
    _change(engine)
    return tracker.changes


def test_an_engine_tracks_what_one_of_appworld_tracks() -> None:
    ours, theirs = make_engine(_connect()), make_engine(_connect())
    expected = _changes(theirs, library.module("apps.model_lib").DBChangesTracker(theirs))
    assert _changes(ours, make_tracker(ours)) == expected
    assert len(expected) == 6


def test_an_engine_goes_on_with_another_connection() -> None:
    engine, tracker = make_engine(_connect()), None
    tracker = make_tracker(engine).start()
    other = _connect()
    change_connection(engine, other)
    with Session(engine) as session:
        session.execute(text("INSERT INTO users (name) VALUES ('a')"))
        session.commit()
    assert other.execute("SELECT name FROM users").fetchall() == [("a",)]
    assert len(tracker.changes) == 1
