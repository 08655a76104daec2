"""Catalogues: generated ones, and ones from files in the form of WebShop's."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from training_sandbox_webshop.catalogue.generator import generate
from training_sandbox_webshop.environment import WebShopEnvironment
from training_sandbox_webshop.examples import example_of
from training_sandbox_webshop.goal import Goal, read_goal
from training_sandbox_webshop.product import Review
from training_sandbox_webshop.shop import Shop
from training_sandbox_webshop.splits import divide
from training_sandbox_worker.environment import Task

Make = Callable[..., object]

EVERY = int(os.environ.get("TEST_WEBSHOP_EVERY", "100"))
"""Of the default catalogue's goals one in so many is played."""


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def play(environment: WebShopEnvironment, root: Path, shop: Shop, number: int) -> list[float]:
    """The rewards of the right and of the wrong way."""
    example = example_of(root, shop, number)
    assert example is not None
    task = Task(example.task_id, {})
    rewards: list[float] = []
    for messages in (example.right, example.wrong):
        episode = environment.open(task)
        for message in messages:
            episode.step(message)
        rewards.append(environment.evaluate(task, episode.save(), sparse=False))
    return rewards


def test_the_same_seed_gives_the_same_catalogue(root: Path, tmp_path: Path, make: Make) -> None:
    make("--root", tmp_path / "again", "--products", 240)
    make("--root", tmp_path / "other", "--products", 240, "--seed", 8)
    assert digests(tmp_path / "again") == digests(root)
    other = digests(tmp_path / "other")
    for name in ("products.bin", "instructions.bin", "truth/goals.bin", "index/documents.npy"):
        assert other[name] != digests(root)[name]


def test_every_goal_of_a_small_catalogue_can_be_reached(
    environment: WebShopEnvironment, root: Path, shop: Shop
) -> None:
    for number in range(shop.goals):
        right, wrong = play(environment, root, shop, number)
        assert right == 1.0 > wrong


def test_goals_of_the_default_catalogue_can_be_reached(
    tmp_path: Path, make: Make, load_environment: Callable[[Path], WebShopEnvironment]
) -> None:
    make("--root", tmp_path)
    environment, shop = load_environment(tmp_path), Shop(tmp_path)
    assert (shop.products, shop.goals) == (10_000, 10_000)
    assert {split: len(ids) for split, ids in environment.splits().items()} == {
        "train": 8_500,
        "dev": 1_000,
        "test": 500,
    }
    for number in range(0, shop.goals, EVERY):
        right, wrong = play(environment, tmp_path, shop, number)
        assert right == 1.0 > wrong


@pytest.mark.parametrize(
    ("goals", "train", "dev", "test"),
    [
        (12_087, 10_587, 1_000, 500),
        (3_000, 1_500, 1_000, 500),
        (60, 30, 20, 10),
        (1, 1, 0, 0),
    ],
)
def test_goals_are_divided_as_by_webshops_authors(
    goals: int, train: int, dev: int, test: int
) -> None:
    splits = divide(goals)
    assert {split: len(ids) for split, ids in splits.items()} == {
        "train": train,
        "dev": dev,
        "test": test,
    }
    assert [*splits["test"], *splits["dev"], *splits["train"]] == list(range(goals))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, object], Path]:
    def write(name: str, content: object) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return path

    return write


def test_a_generated_catalogue_is_the_same_from_files_of_webshops_form(
    root: Path, tmp_path: Path, make: Make, write: Callable[[str, object], Path]
) -> None:
    source = dataclasses.asdict(generate(240, 7))
    made = make(
        *("--root", tmp_path / "read"),
        *("--from-products", write("items_shuffle.json", source["products"])),
        *("--from-goals", write("items_ins_v2.json", source["attributes"])),
        *("--from-human-goals", write("items_human_ins.json", source["human_goals"])),
        *("--from-reviews", write("reviews.json", source["reviews"])),
    )
    assert made.returncode == 0, made.stderr
    assert digests(tmp_path / "read") == digests(root)


def scraped(asin: str, **fields: object) -> dict[str, object]:
    """A product as in items_shuffle.json."""
    return {
        "asin": asin,
        "name": "Red Boots for Women",
        "full_description": None,
        "small_description": "Warm lining",
        "pricing": "$1,019.99$1,029.50$3,000.00",
        "customization_options": {
            "Size": [{"value": " US 7/8 ", "image": None}, {"value": "9"}],
            "Color": [{"value": "Red"}],
            "Style": None,
        },
        "category": "fashion",
        "query": " Women's Boots ",
        "product_category": "Shoes \u203a Boots",
        "images": ["https://images.invalid/1.jpg"],
        **fields,
    }


INSTRUCTED = {"attributes": ["warm", "red"], "instruction": "find boots", "instruction_attributes": ["warm"]}  # fmt: skip  # noqa: E501


@pytest.fixture
def read(tmp_path: Path, make: Make, write: Callable[[str, object], Path]) -> Callable[..., object]:
    """Make a catalogue of products and goals at `catalogue`, and give what the command said."""

    def read(products: object, goals: object, *more: str | Path) -> object:
        return make(
            *("--root", tmp_path / "catalogue"),
            *("--from-products", write("products.json", products)),
            *("--from-goals", write("goals.json", goals)),
            *more,
        )

    return read


def test_scraped_products_become_those_of_the_shop(
    tmp_path: Path, read: Callable[..., object], write: Callable[[str, object], Path]
) -> None:
    reviews = [{"asin": "B2", "average_rating": 4.5, "reviews": [{"title": "t", "stars": 5.0}]}]
    products = [
        scraped("B2"),
        scraped("B1", pricing=None, customization_options=None, small_description=["a", "b"]),
        scraped("B2", name="Twice"),
        scraped("nan"),
        scraped("B0000000001"),
        scraped("B3", pricing="$9.99"),
    ]
    made = read(products, {"B2": INSTRUCTED}, "--from-reviews", write("reviews.json", reviews))
    assert made.returncode == 0, made.stderr
    shop = Shop(tmp_path / "catalogue")
    assert [shop.product(number).asin for number in range(shop.products)] == ["B1", "B2", "B3"]
    first, second, third = (shop.product(number) for number in range(3))
    assert second.title == "Red Boots for Women"
    assert second.options == {"size": ["us 7 | 8", "9"], "color": ["red"]}
    assert second.price_tag == "$1019.99 to $1029.5"
    assert 1019.99 <= second.price <= 1029.5
    assert second.attributes == ["warm", "red"]
    assert (second.rating, second.reviews) == ("4.5", [Review("t", "5.0", "")])
    assert second.query == "women's boots"
    assert {"boots", "women"} <= set(second.nouns)
    assert second.searchable == (
        "red boots for women  warm lining size: us 7 | 8, 9, and color: red"
    )
    assert (first.price, first.price_tag, first.options) == (100.0, "$100.0", {})
    assert (first.attributes, first.features) == (["DUMMY_ATTR"], ["a", "b"])
    assert (third.price, third.price_tag, third.rating) == (9.99, "$9.99", "N.A.")


def test_goals_are_put_together_of_every_combination_of_options(
    tmp_path: Path, read: Callable[..., object]
) -> None:
    read([scraped("B1"), scraped("B2")], {"B1": INSTRUCTED, "B2": {"attributes": ["warm"]}})
    root = tmp_path / "catalogue"
    shop = Shop(root)
    goals = {shop.instruction(number): read_goal(root, number) for number in range(shop.goals)}
    assert goals == {
        f"find boots with color: red, and size: {size}": Goal(
            "B1", ["warm"], {"color": "red", "size": size}, 1_000_000.0
        )
        for size in ("us 7 | 8", "9")
    }


def test_goals_of_people_have_their_words_and_a_limit_of_the_price(
    tmp_path: Path, read: Callable[..., object], write: Callable[[str, object], Path]
) -> None:
    written = {"instruction": "I want boots.", "instruction_options": ["red"]}
    human = {
        "B1": [
            {**written, "instruction_attributes": ["warm"]},
            {**written, "instruction_attributes": []},
        ],
        "B9": [{**written, "instruction_attributes": ["warm"]}],
    }
    read(
        [scraped("B1", pricing="$25.00")],
        {"B1": INSTRUCTED},
        *("--from-human-goals", write("human.json", human)),
    )
    root = tmp_path / "catalogue"
    shop = Shop(root)
    goal = read_goal(root, 0)
    assert shop.goals == 1
    assert (goal.asin, goal.attributes, goal.options) == ("B1", ["warm"], ["red"])
    assert goal.price_upper in {40.0, 50.0, 60.0}
    limit = f"{goal.price_upper:.2f}"
    assert shop.instruction(0) == f"I want boots, and price lower than {limit} dollars"


@pytest.mark.parametrize(
    ("products", "goals", "named"),
    [
        ({}, {}, "products.json is not a list of objects"),
        ([{"asin": "B1"}], {}, "product 0 is not one of WebShop's: KeyError('name')"),
        ([scraped("B1")], [], "goals.json is not an object by product id"),
        ([scraped("B1")], {"B1": []}, "goals.json: B1 is not an object with attributes"),
        ([scraped("B1")], {}, "there is no goal for any of the products"),
    ],
)
def test_files_of_another_form_are_refused(
    read: Callable[..., object], products: object, goals: object, named: str
) -> None:
    made = read(products, goals)
    assert made.returncode == 2
    assert named in made.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--products", 0), "--products must be at least 1"),
        (("--from-goals", "x"), "need --from-products"),
        (("--from-products", "x"), "--from-products needs --from-goals"),
        (("--products", 3, "--spacy", "en_none"), "en_none"),
    ],
)
def test_arguments_that_cannot_be_are_refused(
    tmp_path: Path, make: Make, arguments: tuple[object, ...], named: str
) -> None:
    made = make("--root", tmp_path / "new", *arguments)
    assert made.returncode == 2
    assert named in made.stderr


def test_what_is_at_the_root_is_left_alone(tmp_path: Path, make: Make) -> None:
    (tmp_path / "mine.txt").touch()
    made = make("--root", tmp_path, "--products", 3)
    assert made.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
