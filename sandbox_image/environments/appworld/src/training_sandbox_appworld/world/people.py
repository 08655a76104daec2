"""The people of a world, and who knows whom."""

from dataclasses import dataclass
from random import Random

from training_sandbox_appworld.world import words

APPS_WITH_ACCOUNTS = (
    "amazon",
    "phone",
    "file_system",
    "spotify",
    "venmo",
    "gmail",
    "splitwise",
    "simple_note",
    "todoist",
)
"""Every person has an account in each of them; the id of the account is the person's."""

RELATIONSHIPS = ("friend", "roommate", "coworker", "sibling", "partner")

_CONTACTS = 8


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address in the form of AppWorld's models."""

    street_address: str
    city: str
    state: str
    country: str
    zip_code: int

    def text(self) -> str:
        """The address on one line, as a contact book has it."""
        return f"{self.street_address}, {self.city}, {self.state}, {self.country}, {self.zip_code}"


@dataclass(frozen=True, slots=True)
class Person:
    """One person. First names, emails and phone numbers are unique in a world."""

    id: int
    first_name: str
    last_name: str
    sex: str
    email: str
    phone_number: str
    birthday: str
    home: Address
    work: Address
    card_number: int
    passwords: dict[str, str]
    contacts: dict[int, str]
    """The ids of the people in the contact book, with the relationship."""

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


def make_people(count: int, random: Random) -> list[Person]:
    """Invent so many people.

    Args:
        count: At most 120, one for each first name.
        random: Where the choices come from.
    """
    named = [(name, "male") for name in words.MALE_NAMES]
    named += [(name, "female") for name in words.FEMALE_NAMES]
    chosen = random.sample(named, count)
    numbers = random.sample(range(1_000_000), count)
    return [
        _make_person(
            random,
            person_id=person_id,
            first_name=first_name,
            sex=sex,
            number=number,
            others=[other for other in range(1, count + 1) if other != person_id],
        )
        for person_id, ((first_name, sex), number) in enumerate(
            zip(chosen, numbers, strict=True), start=1
        )
    ]


def _make_person(
    random: Random, *, person_id: int, first_name: str, sex: str, number: int, others: list[int]
) -> Person:
    """Invent a person; `number` is below a million and nobody else's."""
    last_name = random.choice(words.LAST_NAMES)
    return Person(
        id=person_id,
        first_name=first_name,
        last_name=last_name,
        sex=sex,
        email=f"{first_name}.{last_name}@gmail.com".lower(),
        phone_number=f"555{number:07d}",
        birthday=(
            f"{random.randint(1950, 2002)}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}"
        ),
        home=_make_address(random),
        work=_make_address(random),
        card_number=4_000_000_000_000_000 + number * 1_000 + person_id,
        passwords={app: words.password(random) for app in APPS_WITH_ACCOUNTS},
        contacts={
            other: random.choice(RELATIONSHIPS)
            for other in random.sample(others, min(_CONTACTS, len(others)))
        },
    )


def _make_address(random: Random) -> Address:
    return Address(
        street_address=f"{random.randint(1, 999)} {random.choice(words.PLACES)} Street",
        city=random.choice(words.PLACES),
        state=random.choice(words.STATES),
        country="United States",
        zip_code=random.randint(10_000, 99_999),
    )
