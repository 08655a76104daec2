"""Todoist: an inbox each, with things to do."""

from random import Random

from training_sandbox_appworld.world import words
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import Tables, moment_before_now

_PRIORITIES = ("high", "medium", "low")


def fill(tables: Tables, people: list[Person], random: Random, *, rows: int) -> None:
    """Add about so many rows, nearly all of them tasks."""
    tasks = max(2, rows // len(people) - 2)
    for person in people:
        created_at = moment_before_now(random)
        project_id = tables.add_searchable(
            "todoist.Project",
            f"Inbox  {person.name} {person.email}",
            user_id=person.id,
            name="Inbox",
            is_inbox=True,
            created_at=created_at,
        )
        tables.add(
            "todoist.ProjectCollaboratorLink",
            project_id=project_id,
            user_id=person.id,
            created_at=created_at,
        )
        for number in range(tasks):
            tables.add(
                "todoist.Task",
                project_id=project_id,
                user_id=person.id,
                title=f"Plan the {random.choice(words.TOPICS)}",
                priority=random.choice(_PRIORITIES),
                is_completed=random.choice([True, False]),
                order_index=number,
                created_at=moment_before_now(random),
            )
