"""All the rows of a world, and questions about them that the tasks ask."""

from dataclasses import dataclass
from random import Random
from typing import Protocol

from training_sandbox_appworld.world.apps import (
    accounts,
    amazon,
    file_system,
    gmail,
    phone,
    simple_note,
    spotify,
    todoist,
    venmo,
)
from training_sandbox_appworld.world.people import Person, make_people
from training_sandbox_appworld.world.sizes import WorldSize
from training_sandbox_appworld.world.tables import Row, Tables


class _Fill(Protocol):
    def __call__(
        self, tables: Tables, people: list[Person], random: Random, *, rows: int
    ) -> None: ...


_SHARES: dict[str, tuple[float, _Fill]] = {
    "spotify": (0.34, spotify.fill),
    "phone": (0.20, phone.fill),
    "venmo": (0.18, venmo.fill),
    "gmail": (0.15, gmail.fill),
    "amazon": (0.05, amazon.fill),
    "file_system": (0.04, file_system.fill),
    "simple_note": (0.03, simple_note.fill),
    "todoist": (0.01, todoist.fill),
}
"""The share of the rows that each app has, beside the people's accounts."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The people of a world and all its rows."""

    people: list[Person]
    tables: Tables

    def person(self, person_id: int) -> Person:
        """A person by id."""
        return self.people[person_id - 1]

    def contacts(self, person: Person) -> list[Person]:
        """The people in someone's contact book."""
        return [self.person(contact) for contact in person.contacts]

    def of_user(self, table: str, person: Person) -> list[tuple[int, Row]]:
        """The rows of a table whose `user_id` is the person, with their ids."""
        rows = self.tables.with_ids(table)
        return [(row_id, row) for row_id, row in rows if row["user_id"] == person.id]


def source(seed: int, purpose: str) -> Random:
    """A source of choices that no other purpose draws from, and the same every time."""
    return Random(f"{seed}/{purpose}")  # noqa: S311 (reproducible, and no secret)


def make_contents(size: WorldSize, seed: int) -> Contents:
    """Invent a world. Each app draws from a source of its own: none disturbs another."""
    people = make_people(size.people, source(seed, "people"))
    tables = Tables()
    accounts.fill(tables, people, source(seed, "accounts"))
    left = size.rows - tables.count()
    for app, (share, fill) in _SHARES.items():
        fill(tables, people, source(seed, app), rows=round(share * left))
    return Contents(people=people, tables=tables)
