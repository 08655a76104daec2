"""Gmail: emails between people who know each other, each a thread of its own."""

from random import Random

from training_sandbox_appworld.world import words
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import Tables, moment_before_now


def fill(tables: Tables, people: list[Person], random: Random, *, rows: int) -> None:
    """Add about so many rows; each email is four."""
    by_id = {person.id: person for person in people}
    end = tables.count() + rows
    while tables.count() < end:
        sender = random.choice(people)
        recipient = by_id[random.choice(list(sender.contacts))]
        _add_email(tables, sender, recipient, random)


def _add_email(tables: Tables, sender: Person, recipient: Person, random: Random) -> None:
    subject = f"About the {random.choice(words.TOPICS)}"
    body = words.sentences(random, random.randint(2, 5))
    created_at = moment_before_now(random)
    email_id = tables.add(
        "gmail.Email",
        sender_id=sender.id,
        recipient_ids=[recipient.id],
        subject=subject,
        body=body,
        created_at=created_at,
    )
    thread_id = tables.add(
        "gmail.GlobalEmailThread",
        email_ids=[email_id],
        created_at=created_at,
        updated_at=created_at,
    )
    for owner in (sender, recipient):
        tables.add_searchable(
            "gmail.UserEmailThread",
            " ".join([sender.name, sender.email, recipient.name, recipient.email, subject, body]),
            global_email_thread_id=thread_id,
            user_id=owner.id,
            email_ids=[email_id],
            incoming=owner is recipient,
            outgoing=owner is sender,
            read=random.choice([True, False]),
            sender_email_addresses=[sender.email],
            sender_names=[sender.name],
            recipient_email_addresses=[recipient.email],
            recipient_names=[recipient.name],
            created_at=created_at,
            updated_at=created_at,
        )
