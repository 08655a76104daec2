"""What an episode saves is all that evaluation trusts, and it may be forged."""

import json
import sqlite3
from collections.abc import Callable

import pytest
from zygote import RemoteEpisode, RemoteError, Zygote

from training_sandbox_appworld.replay import replay
from training_sandbox_appworld.saved_state import MAX_BYTES, Change, StateTampered, decode, encode
from training_sandbox_appworld.world.solutions import Solutions

Open = Callable[..., RemoteEpisode]
TaskOf = Callable[[str, str], str]

CHANGES = {
    "venmo": [
        Change("INSERT INTO users (id, name) VALUES (?, ?)", [1, "é"], False),
        Change("UPDATE users SET name=?, age = ? WHERE users.id = ?", ["b", 1.5, 1], False),
        Change("UPDATE users_fts SET text = :text\nWHERE id = :id", {"text": "a", "id": 1}, False),
        Change('DELETE FROM "users" WHERE "users".id = ?', [[1], [None]], True),
    ]
}

MORE_THAN_ROWS = (
    "ATTACH DATABASE '/tmp/stolen.db' AS stolen",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = 1",
    "DROP TABLE users",
    "CREATE TRIGGER cheat AFTER UPDATE ON users BEGIN DELETE FROM users; END",
    "CREATE TABLE more (id)",
    "CREATE TEMPORARY TABLE more (id)",
    "ALTER TABLE users RENAME TO nobody",
    "VACUUM INTO '/tmp/stolen.db'",
    "SELECT load_extension('/tmp/cheat.so')",
    "DELETE FROM users; DROP TABLE users",
    "UPDATE users SET name=randomblob(1000000000)",
)

FORGED_STATEMENTS = (
    *MORE_THAN_ROWS,
    "BEGIN",
    "UPDATE users SET name=? WHERE users.id = ?; DROP TABLE users",
    "DELETE FROM users WHERE users.id = ? -- \n; DROP TABLE users",
    "DELETE FROM users",
    "DELETE FROM users WHERE users.id = ? OR 1",
    "UPDATE users SET name=(SELECT load_extension('x')) WHERE users.id = ?",
    "UPDATE users SET name=randomblob(1000000000) WHERE users.id = ?",
    "INSERT INTO users SELECT * FROM users",
    "INSERT INTO users (id) VALUES ((SELECT max(id) FROM users))",
    "INSERT OR REPLACE INTO users (id) VALUES (?)",
    "REPLACE INTO users (id) VALUES (?)",
    "WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT 1 FROM n) INSERT INTO users SELECT * FROM n",
    "UPDATE sqlite_master SET sql=? WHERE id = ?",
    "INSERT INTO users_fts_data (id, block) VALUES (?, ?)",
    "DELETE FROM users_fts_content WHERE id = ?",
    "",
)

FORGED_STATES = (
    b"",
    b"not json",
    b"\xff\xfe",
    b"[" * 100_000,
    b"null",
    b"[]",
    b"1",
    b'"venmo"',
    b'{"venmo": null}',
    b'{"venmo": {}}',
    b'{"venmo": "DELETE"}',
    b'{"venmo": [null]}',
    b'{"venmo": [[]]}',
    b'{"venmo": [["DELETE FROM users WHERE id = ?", [1]]]}',
    b'{"venmo": [["DELETE FROM users WHERE id = ?", [1], false, 1]]}',
    b'{"venmo": [[1, [1], false]]}',
    b'{"venmo": [["DELETE FROM users WHERE id = ?", [1], 0]]}',
    b'{"venmo": [["DELETE FROM users WHERE id = ?", 1, false]]}',
    b'{"venmo": [["DELETE FROM users WHERE id = ?", [[1]], false]]}',
    b'{"venmo": [["DELETE FROM users WHERE id = ?", [{}], false]]}',
    b'{"venmo": [["DELETE FROM users WHERE id = ?", [1], true]]}',
    b'{"venmo": [["DELETE FROM users WHERE id = ?", {"id": []}, false]]}',
)

UNACCEPTABLE = (
    ("no_such_app", "DELETE FROM users WHERE users.id = ?", [1]),
    ("", "DELETE FROM users WHERE users.id = ?", [1]),
    ("../venmo", "DELETE FROM users WHERE users.id = ?", [1]),
    ("venmo", "DELETE FROM no_such_table WHERE id = ?", [1]),
    ("venmo", "UPDATE users SET no_such_column=? WHERE users.id = ?", [1, 1]),
    ("venmo", "DELETE FROM users WHERE users.id = ?", []),
    ("venmo", "DELETE FROM users WHERE users.id = ?", [1, 2]),
    ("venmo", "DELETE FROM users WHERE users.id = :id", {}),
    ("venmo", "DELETE FROM users WHERE users.id = ?", [10**30]),
    ("venmo", "DELETE FROM users WHERE users.id = ?", ["\ud800"]),
    ("venmo", "UPDATE users SET id=? WHERE users.id = ?", [None, 1]),
    ("venmo", "INSERT INTO users (id) VALUES (?)", [1]),
    ("venmo", "DELETE FROM USERS WHERE USERS.id = ?", [1]),
)


def test_what_is_encoded_is_decoded() -> None:
    assert decode(encode(CHANGES)) == CHANGES


@pytest.mark.parametrize("statement", FORGED_STATEMENTS)
def test_a_statement_that_does_more_than_change_rows_is_refused(statement: str) -> None:
    with pytest.raises(StateTampered):
        decode(json.dumps({"venmo": [[statement, [], False]]}).encode())


@pytest.mark.parametrize("state", FORGED_STATES)
def test_a_state_of_another_form_is_refused(state: bytes) -> None:
    with pytest.raises(StateTampered):
        decode(state)


def test_a_huge_state_is_refused() -> None:
    with pytest.raises(StateTampered, match=str(MAX_BYTES)):
        decode(b" " * (MAX_BYTES + 1))


@pytest.fixture(scope="module")
def task_id(task_of: TaskOf) -> str:
    return task_of("send_money", "train")


@pytest.mark.parametrize(("app", "statement", "parameters"), UNACCEPTABLE)
def test_a_change_that_cannot_be_made_is_refused(
    zygote: Zygote, task_id: str, app: str, statement: str, parameters: object
) -> None:
    state = json.dumps({app: [[statement, parameters, False]]}).encode()
    with pytest.raises(RemoteError, match="StateTampered"):
        zygote.evaluate(task_id, state)


@pytest.mark.parametrize("statement", MORE_THAN_ROWS)
def test_sqlite_refuses_what_the_check_would_let_through(statement: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name)")
    connection.execute("INSERT INTO users VALUES (1, 'a')")
    connection.commit()
    before = connection.serialize()
    with pytest.raises(StateTampered):
        replay(connection, [Change(statement, [], False)])
    assert connection.serialize() == before


def test_of_changes_that_cannot_all_be_made_none_is() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY)")
    connection.commit()
    insert = Change("INSERT INTO users (id) VALUES (?)", [1], False)
    with pytest.raises(StateTampered):
        replay(connection, [insert, insert])
    assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_agent_code_cannot_hide_what_it_changed(
    open_episode: Open, solutions: dict[str, Solutions], task_id: str
) -> None:
    """AppWorld looks only at models whose count of changes is another; code can reach the count."""
    *before, complete = solutions[task_id].right
    collateral = """
token = apis.simple_note.login(
    username=profile['email'], password=passwords['simple_note']
)['access_token']
apis.simple_note.create_note(title='a', content='b', access_token=token)
"""
    hide = """
from appworld.apps.model_lib import ModelHashHandler
for apps in ModelHashHandler.data.values():
    apps.pop('simple_note', None)
"""
    episode = open_episode(task_id)
    episode.run(*before, collateral, hide, complete)
    assert episode.evaluate() < 1.0
