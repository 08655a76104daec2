"""Tasks about money."""

from random import Random

from training_sandbox_appworld.world import words
from training_sandbox_appworld.world.contents import Contents
from training_sandbox_appworld.world.families import code
from training_sandbox_appworld.world.families.draft import Change, Draft
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import value_of


def send_money(contents: Contents, random: Random) -> Draft:
    """Send an amount to a contact. The wrong solution sends another amount."""
    supervisor = random.choice(contents.people)
    receiver = random.choice(contents.contacts(supervisor))
    amount = random.randint(5, 200)
    description = f"For {random.choice(words.OCCASIONS)}"

    def solution(paid: int) -> tuple[str, ...]:
        return (
            code.sign_in("phone"),
            code.find_contact(receiver.name),
            code.sign_in("venmo"),
            code.step(f"""
                print(apis.venmo.create_transaction(
                    receiver_email=contact['email'], amount={paid},
                    description={description!r}, access_token=venmo_token,
                ))
            """),
            code.complete(),
        )

    return Draft(
        supervisor=supervisor,
        instruction=(
            f"Send ${amount} to {receiver.name} from my phone's contacts on Venmo, "
            f'with the description "{description}".'
        ),
        right=solution(amount),
        wrong=solution(amount + 1),
        changes=(
            Change(
                "venmo.Transaction",
                added=(
                    {
                        "sender_id": supervisor.id,
                        "receiver_id": receiver.id,
                        "amount": float(amount),
                        "description": description,
                    },
                ),
            ),
        ),
        side_effects=("venmo.Notification", "venmo.User"),
    )


def total_sent(contents: Contents, random: Random) -> Draft:
    """How much was sent to a contact. The wrong solution forgets all but the largest payment."""
    supervisor, receiver, amounts = _frequent_receiver(contents, random)

    def solution(total: str) -> tuple[str, ...]:
        return (
            code.sign_in("phone"),
            code.find_contact(receiver.name),
            code.sign_in("venmo"),
            code.step("""
                page, payments = 0, []
                while True:
                    found = apis.venmo.show_transactions(
                        user_email=contact['email'], direction='sent', page_index=page,
                        page_limit=20, access_token=venmo_token,
                    )
                    payments += found
                    page += 1
                    if len(found) < 20:
                        break
                amounts = [payment['amount'] for payment in payments]
                print(amounts)
            """),
            code.complete(total),
        )

    return Draft(
        supervisor=supervisor,
        instruction=(
            f"How much money in dollars have I sent to {receiver.name} on Venmo in total?"
        ),
        right=solution("round(sum(amounts), 2)"),
        wrong=solution("max(amounts)"),
        answer=round(sum(amounts), 2),
    )


def _frequent_receiver(contents: Contents, random: Random) -> tuple[Person, Person, list[float]]:
    """Someone, a contact whom they paid more than once, and the amounts."""
    pairs: dict[tuple[int, int], list[float]] = {}
    for payment in contents.tables.rows("venmo.Transaction"):
        pair = value_of(payment, "sender_id", int), value_of(payment, "receiver_id", int)
        pairs.setdefault(pair, []).append(value_of(payment, "amount", float))
    frequent = sorted(pair for pair, amounts in pairs.items() if len(amounts) > 1)
    sender, receiver = random.choice(frequent)
    return contents.person(sender), contents.person(receiver), pairs[sender, receiver]
