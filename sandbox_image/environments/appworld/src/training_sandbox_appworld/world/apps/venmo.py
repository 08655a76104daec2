"""Venmo: friends, cards, payments and what people said about them."""

from random import Random

from training_sandbox_appworld.world import words
from training_sandbox_appworld.world.apps.accounts import card_of
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import Tables, moment_before_now, value_of


def fill(tables: Tables, people: list[Person], random: Random, *, rows: int) -> None:
    """Add about so many rows: for each payment a notification, and for some a comment or a like."""
    for person in people:
        tables.add("venmo.PaymentCard", user_id=person.id, **card_of(person))
        for contact in list(person.contacts)[::2]:
            tables.add(
                "venmo.Friendship",
                user_id=person.id,
                friend_id=contact,
                created_at=moment_before_now(random),
            )
    by_id = {person.id: person for person in people}
    end = tables.count() + rows - 5 * len(people)
    while tables.count() < end:
        sender = random.choice(people)
        receiver = by_id[random.choice(list(sender.contacts))]
        _add_payment(tables, sender, receiver, random)


def _add_payment(tables: Tables, sender: Person, receiver: Person, random: Random) -> None:
    amount = random.randint(100, 20_000) / 100
    description = f"For {random.choice(words.OCCASIONS)}"
    created_at = moment_before_now(random)
    payment_id = tables.add_searchable(
        "venmo.Transaction",
        " ".join([description, sender.name, receiver.name, sender.email, receiver.email]),
        sender_id=sender.id,
        receiver_id=receiver.id,
        amount=amount,
        description=description,
        created_at=created_at,
        updated_at=created_at,
        private=random.choice([True, False]),
        like_count=0,
    )
    tables.add(
        "venmo.Notification",
        user_id=receiver.id,
        type="received_money",
        title="Received money",
        message=f"{sender.name} sent you ${amount:.2f}.",
        read=random.choice([True, False]),
        data={"transaction_id": payment_id, "action_by_id": sender.id},
        created_at=created_at,
    )
    if random.choice([True, False]):
        tables.add(
            "venmo.TransactionComment",
            transaction_id=payment_id,
            user_id=receiver.id,
            comment=words.sentences(random, 1),
            created_at=created_at,
        )
    if random.choice([True, False]):
        tables.add(
            "venmo.TransactionLike",
            transaction_id=payment_id,
            user_id=receiver.id,
            created_at=created_at,
        )
        payment = tables.row("venmo.Transaction", payment_id)
        payment["like_count"] = value_of(payment, "like_count", int) + 1
