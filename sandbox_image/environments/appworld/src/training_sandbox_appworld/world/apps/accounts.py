"""The people themselves: the admin app's records, and an account of each person in each app."""

from random import Random

from training_sandbox_appworld.world.people import APPS_WITH_ACCOUNTS, Person
from training_sandbox_appworld.world.tables import Tables, moment_before_now

_APPS_WITH_SEARCHABLE_USERS = ("gmail", "splitwise", "todoist", "venmo")
_APPS_WITHOUT_VERIFICATION = ("gmail", "phone")
CARD_EXPIRY_YEAR = 2028


def fill(tables: Tables, people: list[Person], random: Random) -> None:
    """Add what every person has, whatever the size of the world."""
    for person in people:
        _add_person(tables, person, random)
        for app in APPS_WITH_ACCOUNTS:
            _add_account(tables, person, app, random)


def card_of(person: Person) -> dict[str, object]:
    """The payment card of a person, as the apps store it."""
    return {
        "owner_name": person.name,
        "card_name": "Visa",
        "card_number": person.card_number,
        "expiry_year": CARD_EXPIRY_YEAR,
        "expiry_month": 1 + person.id % 12,
        "cvv_number": 100 + person.id,
    }


def addresses_of(person: Person) -> dict[str, dict[str, object]]:
    """The addresses of a person by name, as the apps store them."""
    return {
        name: {
            "street_address": address.street_address,
            "city": address.city,
            "state": address.state,
            "country": address.country,
            "zip_code": address.zip_code,
        }
        for name, address in (("Home", person.home), ("Work", person.work))
    }


def _add_person(tables: Tables, person: Person, random: Random) -> None:
    tables.add(
        "admin.MainUser",
        first_name=person.first_name,
        last_name=person.last_name,
        email=person.email,
        phone_number=person.phone_number,
        birthday=person.birthday,
        sex=person.sex,
    )
    for name, address in addresses_of(person).items():
        address_id = tables.add("admin.GlobalAddress", **address)
        tables.add(
            "admin.UserAddress", global_address_id=address_id, main_user_id=person.id, name=name
        )
    balance = float(random.randint(1_000, 10_000))
    tables.add("admin.PaymentCard", main_user_id=person.id, balance=balance, **card_of(person))
    for app, password in person.passwords.items():
        tables.add(
            "admin.AccountPassword", main_user_id=person.id, account_name=app, password=password
        )
    for contact, relationship in person.contacts.items():
        if relationship == "friend":
            tables.add("admin.Friendship", main_user_id=person.id, friend_id=contact)


def _add_account(tables: Tables, person: Person, app: str, random: Random) -> None:
    created_at = moment_before_now(random)
    account: dict[str, object] = {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "password": person.passwords[app],
        "created_at": created_at,
        "last_logged_in": created_at,
    }
    if app == "phone":
        account["phone_number"] = person.phone_number
    else:
        account["email"] = person.email
    if app not in _APPS_WITHOUT_VERIFICATION:
        account["verified"] = True
    if app == "venmo":
        account["venmo_balance"] = float(random.randint(500, 5_000))
    if app in _APPS_WITH_SEARCHABLE_USERS:
        tables.add_searchable(f"{app}.User", f"{person.name} {person.email}", **account)
    else:
        tables.add(f"{app}.User", **account)
