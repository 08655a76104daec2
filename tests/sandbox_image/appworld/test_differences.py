"""What an evaluation finds in the rows that were touched is what AppWorld finds in all rows."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from training_sandbox_appworld.saved_state import Change

_PROGRAM = Path(__file__).with_name("differences_program.py")
_CASES = (
    "nothing",
    "a row added",
    "a row updated",
    "a row removed",
    "a row updated and back",
    "a row added and removed",
    "a row removed and added again",
    "a row removed and one of its content added",
    "a row updated to the content of an untouched row",
    "an added row and a removed row, unlike each other",
    "two rows that swap their contents",
    "rows of one content added and removed",
    "a row without a hash",
    "all rows without a hash",
    "a row that gets another id",
    "many rows at once",
    "two models of an app",
    "two apps",
)


class _Table:
    """Makes changes of the rows that a table has in the base databases."""

    def __init__(self, world: Path, app: str, table: str) -> None:
        path = world / "data" / "base_dbs" / f"{app}.db"
        with closing(sqlite3.connect(path)) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
        self.rows: list[dict[str, Any]] = [dict(row) for row in rows]
        self._name = table

    def add(self, row: int, **other: object) -> Change:
        """A row with the content of another, but for `other`; its id is the next one."""
        content = {**self.rows[row], "id": None, **other}
        content = {name: value for name, value in content.items() if name != "id" or value}
        statement = (
            f"INSERT INTO {self._name} ({', '.join(content)})"
            f" VALUES ({', '.join('?' * len(content))})"
        )
        return Change(statement, list(content.values()), many=False)

    def hash(self, row: int, value: object) -> Change:
        statement = f"UPDATE {self._name} SET record_hash=? WHERE {self._name}.id = ?"
        return Change(statement, [value, self.rows[row]["id"]], many=False)

    def hash_all(self, value: object) -> Change:
        parameters = [[value, row["id"]] for row in self.rows]
        return Change(self.hash(0, value).statement, parameters, many=True)

    def renumber(self, row: int, number: int) -> Change:
        statement = f"UPDATE {self._name} SET id=? WHERE {self._name}.id = ?"
        return Change(statement, [number, self.rows[row]["id"]], many=False)

    def remove(self, *ids: int) -> Change:
        statement = f"DELETE FROM {self._name} WHERE {self._name}.id = ?"
        return Change(statement, [[one] for one in ids], many=True)


def _cases(world: Path) -> dict[str, dict[str, Sequence[Change]]]:
    notes = _Table(world, "simple_note", "notes")
    users = _Table(world, "simple_note", "users")
    transactions = _Table(world, "venmo", "transactions")
    first, second, *_, last = (row["id"] for row in notes.rows)
    content, another = notes.rows[0]["record_hash"], notes.rows[1]["record_hash"]
    of_notes: dict[str, Sequence[Change]] = {
        "nothing": [],
        "a row added": [notes.add(0, title="a", record_hash="new")],
        "a row updated": [notes.hash(0, "new")],
        "a row removed": [notes.remove(first)],
        "a row updated and back": [notes.hash(0, "new"), notes.hash(0, content)],
        "a row added and removed": [
            notes.add(0, id=last + 1, title="a"),
            notes.remove(last + 1),
        ],
        "a row removed and added again": [notes.remove(first), notes.add(0, id=first)],
        "a row removed and one of its content added": [notes.remove(first), notes.add(0)],
        "a row updated to the content of an untouched row": [notes.hash(0, another)],
        "an added row and a removed row, unlike each other": [
            notes.remove(first),
            notes.add(1, title="a", record_hash="new"),
        ],
        "two rows that swap their contents": [notes.hash(0, another), notes.hash(1, content)],
        "rows of one content added and removed": [
            *(notes.add(0, title=title) for title in "abc"),
            notes.remove(first, second),
        ],
        "a row without a hash": [notes.hash(0, None)],
        "all rows without a hash": [notes.hash_all(None)],
        "a row that gets another id": [notes.renumber(0, last + 7)],
        "many rows at once": [
            notes.hash_all("new"),
            notes.add(0, title="a"),
            notes.remove(second, last),
        ],
        "two models of an app": [users.hash(0, "new"), notes.add(0, title="a")],
    }
    cases = {name: {"simple_note": changes} for name, changes in of_notes.items()}
    two_apps = {"simple_note": [notes.hash(1, "new")], "venmo": [transactions.add(0)]}
    return {**cases, "two apps": two_apps}


@pytest.fixture(scope="module")
def answers(world: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(_PROGRAM)],
        input=json.dumps(_cases(world)),
        env={**os.environ, "APPWORLD_ROOT": str(world)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", _CASES)
def test_it_is_what_appworld_finds_in_all_rows(answers: dict[str, Any], case: str) -> None:
    before, theirs, after = answers[case]
    assert before == theirs
    assert after == theirs


def test_appworld_finds_something_in_most_cases(answers: dict[str, Any]) -> None:
    names = {case: theirs[0] for case, (_, theirs, _) in answers.items()}
    assert names["nothing"] == []
    assert names["two apps"] == ["simple_note.Note", "venmo.Transaction"]
    assert sum(map(bool, names.values())) > len(names) / 2
