"""The rows of a world as plain data, before they are written to databases.

A number is of the type that its field has: AppWorld hashes 0 and 0.0 differently, and reads the
second where the first was written.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

Row = dict[str, object]

NOW = datetime(2023, 5, 18, 12, 0, 0)  # noqa: DTZ001 (AppWorld's clock has no time zone)
"""The time at which every task starts: AppWorld's default."""

_HISTORY = timedelta(days=700)

Value = TypeVar("Value")


def value_of(row: Row, name: str, kind: type[Value]) -> Value:
    """A field of a row, which must be of the given type."""
    value = row[name]
    if not isinstance(value, kind):
        raise TypeError(f"{name} is {value!r}, not of {kind}")
    return value


def moment_before_now(random: Random) -> datetime:
    """A whole second of the two years before `NOW`."""
    return NOW - timedelta(seconds=random.randint(3600, int(_HISTORY.total_seconds())))


@dataclass(slots=True)
class Table:
    """The rows of one model, with the text by which AppWorld's search finds each of them.

    `search_texts` is empty for models that cannot be searched; else it has one text a row.
    """

    rows: list[Row] = field(default_factory=list)
    search_texts: list[str] = field(default_factory=list)


class Tables:
    """All tables of a world, by the name `app.Model`. Ids count from 1, as SQLite does."""

    def __init__(self) -> None:
        self._tables: dict[str, Table] = defaultdict(Table)

    def add(self, table: str, /, **fields: object) -> int:
        """Append a row and return its id."""
        rows = self._tables[table].rows
        rows.append(fields)
        return len(rows)

    def add_searchable(self, table: str, search_text: str, /, **fields: object) -> int:
        """Append a row that can be found by its text, and return its id."""
        self._tables[table].search_texts.append(search_text)
        return self.add(table, **fields)

    def rows(self, table: str) -> list[Row]:
        """The rows of a table; the one at index i has the id i + 1."""
        return self._tables[table].rows

    def row(self, table: str, row_id: int) -> Row:
        """One row by its id."""
        return self._tables[table].rows[row_id - 1]

    def with_ids(self, table: str) -> list[tuple[int, Row]]:
        """The rows of a table with their ids."""
        return list(enumerate(self._tables[table].rows, start=1))

    def items(self) -> list[tuple[str, Table]]:
        """All tables that have rows, in the order in which they were begun."""
        return [(name, table) for name, table in self._tables.items() if table.rows]

    def count(self) -> int:
        """The number of rows in all tables."""
        return sum(len(table.rows) for table in self._tables.values())
