"""Phone: contact books, text messages and alarms."""

from random import Random

from training_sandbox_appworld.world import words
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import Tables, moment_before_now

_ALARMS = ("06:30", "07:15")


def fill(tables: Tables, people: list[Person], random: Random, *, rows: int) -> None:
    """Add about so many rows, most of them text messages; each is three rows."""
    by_id = {person.id: person for person in people}
    end = tables.count() + rows
    for person in people:
        for contact, relationship in person.contacts.items():
            _add_contact(tables, person, by_id[contact], relationship, random)
        for time in _ALARMS:
            tables.add(
                "phone.Alarm",
                user_id=person.id,
                time=time,
                repeat_days=None,
                label="Wake up",
                enabled=random.choice([True, False]),
                created_at=moment_before_now(random),
            )
    while tables.count() < end:
        sender = random.choice(people)
        receiver = by_id[random.choice(list(sender.contacts))]
        _add_text_message(tables, sender, receiver, random)


def _add_contact(
    tables: Tables, owner: Person, contact: Person, relationship: str, random: Random
) -> None:
    tables.add_searchable(
        "phone.Contact",
        " ".join(
            [
                contact.name,
                contact.email,
                contact.phone_number,
                relationship,
                contact.home.text(),
                contact.work.text(),
            ]
        ),
        user_id=owner.id,
        first_name=contact.first_name,
        last_name=contact.last_name,
        email=contact.email,
        phone_number=contact.phone_number,
        relationships=[relationship],
        birthday=contact.birthday,
        home_address=contact.home.text(),
        work_address=contact.work.text(),
        created_at=moment_before_now(random),
    )


def _add_text_message(tables: Tables, sender: Person, receiver: Person, random: Random) -> None:
    message = words.sentences(random, random.randint(1, 3))
    created_at = moment_before_now(random)
    message_id = tables.add(
        "phone.GlobalTextMessage",
        sender_id=sender.id,
        receiver_id=receiver.id,
        message=message,
        created_at=created_at,
    )
    for owner in (sender, receiver):
        tables.add_searchable(
            "phone.UserTextMessage",
            f"{message} {sender.name} {receiver.name}",
            global_text_message_id=message_id,
            user_id=owner.id,
            created_at=created_at,
        )
