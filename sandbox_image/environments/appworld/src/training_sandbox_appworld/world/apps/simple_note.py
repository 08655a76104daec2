"""Simple note: notes with unlike titles."""

from random import Random

from training_sandbox_appworld.world import words
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import Tables, moment_before_now

_FEWEST_NOTES = 6
_MOST_NOTES = 1_000


def fill(tables: Tables, people: list[Person], random: Random, *, rows: int) -> None:
    """Add about so many notes."""
    a_person = min(_MOST_NOTES, max(_FEWEST_NOTES, rows // len(people)))
    for person in people:
        for number in random.sample(range(_MOST_NOTES), a_person):
            _add_note(tables, person, words.numbered_title(number), random)


def _add_note(tables: Tables, person: Person, title: str, random: Random) -> None:
    content = words.sentences(random, random.randint(2, 6))
    tag = random.choice(words.TOPICS)
    created_at = moment_before_now(random)
    tables.add_searchable(
        "simple_note.Note",
        f"{title} {content} {tag}",
        user_id=person.id,
        title=title,
        content=content,
        tags=[tag],
        created_at=created_at,
        updated_at=created_at,
        pinned=random.random() < 0.1,  # noqa: PLR2004
    )
