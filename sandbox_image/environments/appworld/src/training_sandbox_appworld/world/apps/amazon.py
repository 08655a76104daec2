"""Amazon: sellers and products."""

from random import Random

from training_sandbox_appworld.world import words
from training_sandbox_appworld.world.apps.accounts import addresses_of, card_of
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import Tables

_SELLERS = 30


def fill(tables: Tables, people: list[Person], random: Random, *, rows: int) -> None:
    """Add about so many rows, nearly all of them products."""
    for person in people:
        tables.add("amazon.PaymentCard", user_id=person.id, **card_of(person))
        for name, address in addresses_of(person).items():
            tables.add("amazon.Address", user_id=person.id, name=name, **address)
    sellers = [f"{place} Goods" for place in words.PLACES[:_SELLERS]]
    for seller in sellers:
        tables.add_searchable("amazon.Seller", seller, name=seller, rating=0.0)
    for number in range(max(20, rows - 3 * len(people) - len(sellers))):
        _add_product(tables, number, sellers, random)


def _add_product(tables: Tables, number: int, sellers: list[str], random: Random) -> None:
    product_type = words.THINGS[number % len(words.THINGS)]
    name = f"{words.numbered_title(number)} {product_type}"
    description = f"A {random.choice(words.ADJECTIVES).lower()} {product_type} for every day."
    seller_id = random.randint(1, len(sellers))
    tables.add_searchable(
        "amazon.Product",
        f"{name} {product_type} {description} {sellers[seller_id - 1]}",
        product_type=product_type,
        name=name,
        description=description,
        seller_id=seller_id,
        price=random.randint(500, 50_000) / 100,
        delivery_days=random.randint(1, 14),
        inventory_quantity=random.randint(0, 100),
        weight=random.randint(10, 1_000) / 100,
        length=random.randint(100, 4_000) / 100,
        width=random.randint(100, 4_000) / 100,
        height=random.randint(100, 4_000) / 100,
        rating=0.0,
        seller_rating=0.0,
    )
