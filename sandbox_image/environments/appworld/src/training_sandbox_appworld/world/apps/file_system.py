"""File system: a home directory each, with text files."""

from random import Random

from training_sandbox_appworld.world import words
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import Row, Tables, moment_before_now

_FOLDERS = ("documents", "downloads", "notes")


def fill(tables: Tables, people: list[Person], random: Random, *, rows: int) -> None:
    """Add about so many rows: a few directories a person, the rest files."""
    files = max(2, rows // len(people) - len(_FOLDERS) - 3)
    for person in people:
        home = f"/home/{person.first_name.lower()}/"
        for path in ("/", "/home/", home, *(f"{home}{folder}/" for folder in _FOLDERS)):
            tables.add("file_system.Directory", **_entry(person, home, path, random))
        for number in range(files):
            folder = random.choice(_FOLDERS)
            path = f"{home}{folder}/{random.choice(words.TOPICS)}_{number}.txt"
            content = words.sentences(random, random.randint(1, 8))
            entry = _entry(person, home, path, random)
            tables.add("file_system.File", content=content, **entry)


def _entry(person: Person, home: str, path: str, random: Random) -> Row:
    """What a file and a directory have in common."""
    created_at = moment_before_now(random)
    return {
        "path": path,
        "tilde_path": path.replace(home, "~/"),
        "user_id": person.id,
        "created_at": created_at,
        "updated_at": created_at,
    }
