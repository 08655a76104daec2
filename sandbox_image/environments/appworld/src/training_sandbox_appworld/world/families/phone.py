"""Tasks about the people in the contact book."""

from random import Random

from training_sandbox_appworld.world import words
from training_sandbox_appworld.world.contents import Contents
from training_sandbox_appworld.world.families import code
from training_sandbox_appworld.world.families.draft import Change, Draft


def send_text(contents: Contents, random: Random) -> Draft:
    """Send a text message. The wrong solution sends another text."""
    supervisor = random.choice(contents.people)
    receiver = random.choice(contents.contacts(supervisor))
    message = (
        f"See you at the {random.choice(words.TOPICS)} on {random.choice(words.PLACES)} Street."
    )

    def solution(sent: str) -> tuple[str, ...]:
        return (
            code.sign_in("phone"),
            code.find_contact(receiver.name),
            code.step(f"""
                print(apis.phone.send_text_message(
                    phone_number=contact['phone_number'], message={sent!r},
                    access_token=phone_token,
                ))
            """),
            code.complete(),
        )

    return Draft(
        supervisor=supervisor,
        instruction=f'Send a text message to {receiver.name}, saying "{message}"',
        right=solution(message),
        wrong=solution("See you."),
        changes=(
            Change(
                "phone.GlobalTextMessage",
                added=(
                    {
                        "sender_id": supervisor.id,
                        "receiver_id": receiver.id,
                        "message": message,
                    },
                ),
            ),
        ),
        side_effects=("phone.UserTextMessage",),
    )


def birthday(contents: Contents, random: Random) -> Draft:
    """When a contact was born. The wrong solution answers with the wrong year."""
    supervisor = random.choice(contents.people)
    contact = random.choice(contents.contacts(supervisor))

    def solution(answer: str) -> tuple[str, ...]:
        return (
            code.sign_in("phone"),
            code.find_contact(contact.name),
            code.complete(answer),
        )

    return Draft(
        supervisor=supervisor,
        instruction=(
            f"When is the birthday of {contact.name} from my phone's contacts? "
            "Answer in the form YYYY-MM-DD."
        ),
        right=solution("contact['birthday']"),
        wrong=solution("'1900' + contact['birthday'][4:]"),
        answer=contact.birthday,
    )
