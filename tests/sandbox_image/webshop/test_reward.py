"""The reward is the published one, to the last bit."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from random import Random

import published_formula
import pytest

from training_sandbox_webshop.goal import Goal, read_goal
from training_sandbox_webshop.product import Product
from training_sandbox_webshop.reward import has_attribute, is_chosen, score, type_share
from training_sandbox_webshop.shop import Shop

PAIRS = 10_000

Described = Callable[..., Product]


@pytest.fixture
def product() -> Described:
    """A product of which only some things are told."""

    def describe(**told: object) -> Product:
        nothing = Product(
            asin="B000000000",
            title="",
            price_tag="$10.0",
            price=10.0,
            rating="N.A.",
            options={},
            description="",
            features=(),
            reviews=(),
            attributes=(),
            category="",
            query="",
            product_category="",
            nouns=(),
        )
        return dataclasses.replace(nothing, **told)

    return describe


def some_goal(random: Random, goals: list[Goal], products: list[Product]) -> Goal:
    """A goal of the catalogue with some things of others, in either form."""
    goal = random.choice(goals)
    other = random.choice(products)
    attributes = random.sample([*goal.attributes, *other.attributes], random.randrange(1, 4))
    options: list[str] | dict[str, str] = list(goal.options)[: random.randrange(3)]
    if random.random() < 0.5:
        options = {name: random.choice(values) for name, values in other.options.items()}
    limit = random.choice((goal.price_upper, other.price, other.price - 1, 1_000_000.0))
    return Goal(goal.asin, attributes, options, limit)


def test_it_agrees_with_the_published_formula(root: Path, shop: Shop) -> None:
    random = Random(5)
    goals = [read_goal(root, number) for number in range(shop.goals)]
    products = [shop.product(number) for number in range(shop.products)]
    by_id = {product.asin: product for product in products}
    kinds: set[float] = set()
    rewards: set[float] = set()
    for _ in range(PAIRS):
        goal = some_goal(random, goals, products)
        target, bought = by_id[goal.asin], random.choice(products)
        if random.random() < 0.5:
            alike = [one for one in products if one.category == target.category]
            bought = random.choice([target, *alike])
        chosen = {
            name: random.choice(values)
            for name, values in bought.options.items()
            if random.random() < 0.8
        }
        ours = score(goal, target, bought, chosen)
        expected = published_formula.reward(
            dataclasses.asdict(bought),
            {
                **dataclasses.asdict(target),
                "attributes": goal.attributes,
                "goal_options": goal.options,
                "price_upper": goal.price_upper,
            },
            chosen,
        )
        assert ours.reward == expected
        kinds.add(ours.type)
        rewards.add(ours.reward)
    assert {0.0, 0.5, 1.0} <= kinds
    assert {0.0, 1.0} < rewards


@pytest.mark.parametrize(
    ("query", "category", "common", "share"),
    [
        ("boots", "C", 10, 1.0),
        ("boots", "C", 2, 1.0),
        ("boots", "C", 1, 1.0),
        ("boots", "A \u203a B \u203a D", 1, 1.0),
        ("hats", "B \u203a A", 2, 1.0),
        ("hats", "A \u203a D", 3, 1.0),
        ("hats", "A \u203a D", 2, 0.5),
        ("hats", "D", 1, 0.5),
        ("boots", "A \u203a B", 0, 0.0),
    ],
)
def test_the_kind_is_told_by_query_two_categories_or_a_fifth_of_the_nouns(
    product: Described, query: str, category: str, common: int, share: float
) -> None:
    nouns = [f"noun{number}" for number in range(10)]
    target = product(query="boots", product_category="A \u203a B \u203a C", nouns=nouns)
    bought = product(query=query, product_category=category, nouns=nouns[:common])
    assert type_share(target, bought) == share


def test_less_than_a_tenth_of_the_nouns_leaves_a_tenth(product: Described) -> None:
    target = product(query="boots", nouns=[f"noun{number}" for number in range(11)])
    assert type_share(target, product(query="boots", nouns=["noun1"])) == 0.1


def test_nouns_that_are_there_twice_weigh_twice_below_the_line(product: Described) -> None:
    target = product(query="boots", nouns=["boot"] * 10)
    assert type_share(target, product(nouns=["boot"])) == 0.5


def test_a_title_without_nouns_counts_as_a_fifth(product: Described) -> None:
    target = product(query="boots")
    assert type_share(target, product(query="boots")) == 1.0
    assert type_share(target, product(query="hats", nouns=["hat"])) == 0.5


@pytest.mark.parametrize(
    ("own", "wanted", "matches"),
    [
        ("rubber sole", "sole rubber", True),
        ("rubber sole boots", "rubber sole", True),
        ("rubber sole", "leather sole", False),
    ],
)
def test_attributes_that_are_like_it_match(
    product: Described, own: str, wanted: str, matches: bool
) -> None:
    assert has_attribute(product(attributes=[own]), wanted) is matches


@pytest.mark.parametrize(("letters", "added", "matches"), [(17, 5, True), (17, 6, False)])
def test_the_line_of_likeness_is_between_85_and_86(
    product: Described, letters: int, added: int, matches: bool
) -> None:
    own, wanted = "a" * letters, "a" * letters + "b" * added
    ratio = 200 * letters / (2 * letters + added)
    assert (round(ratio) > 85) is matches
    assert has_attribute(product(attributes=[own]), wanted) is matches
    assert is_chosen(wanted, [own]) is matches


@pytest.mark.parametrize("place", ["title", "description"])
def test_an_attribute_in_a_text_of_the_product_matches(product: Described, place: str) -> None:
    assert has_attribute(product(**{place: "With a Rubber Sole."}), "rubber sole")
    assert not has_attribute(product(**{place: "With a Rubber Sole."}), "Rubber Sole")


def test_an_attribute_in_the_features_may_go_over_two_of_them(product: Described) -> None:
    assert has_attribute(product(features=["so soft", "cotton"]), "soft cotton")


def test_a_color_is_the_first_known_one_in_the_value() -> None:
    assert is_chosen("navy blue", ["blue (deep sea)"])
    assert not is_chosen("navy blue", ["navy"])
    assert is_chosen("dark grey", ["dark green"])


def test_an_option_with_its_name_is_compared_as_a_whole() -> None:
    assert is_chosen(("color", "navy blue"), ["navy blue"])
    assert is_chosen(("color", "red"), ["dark red stripes"]) is False
    assert is_chosen(("color", "red"), ["red stripes"])
    assert not is_chosen(("size", "small"), ["large"])


def test_the_price_may_be_the_limit_and_no_more(product: Described) -> None:
    target = product(nouns=["boot"], query="boots")
    goal = Goal("B000000000", ["soft"], [], 10.0)
    assert score(goal, target, product(nouns=["boot"], query="boots", price=10.0), {}).price
    assert not score(goal, target, product(nouns=["boot"], query="boots", price=10.01), {}).price


def test_every_part_weighs_the_same(product: Described) -> None:
    target = product(nouns=["boot"], query="boots", attributes=["soft"])
    goal = Goal("B000000000", ["soft", "warm"], ["red", "large"], 5.0)
    assert score(goal, target, target, {"color": "red"}).reward == 2 / 5
