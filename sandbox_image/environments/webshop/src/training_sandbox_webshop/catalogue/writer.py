"""Writes a catalogue: the files that `Shop` maps, and the truth.

catalogue.json    the format, and what the catalogue is
asins, products   in the order of their ids
instructions      of the goals, in the order of their numbers
index/            of the search
truth/goals       what each goal wants; only evaluations may read it
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from random import Random

from training_sandbox_webshop import goal as goal_records
from training_sandbox_webshop import product as product_records
from training_sandbox_webshop.catalogue.goals import make_goals
from training_sandbox_webshop.catalogue.nouns import Tagger
from training_sandbox_webshop.catalogue.products import make_products
from training_sandbox_webshop.catalogue.source import Source, SourceUnusable
from training_sandbox_webshop.product import Product
from training_sandbox_webshop.records import write_records
from training_sandbox_webshop.search_index import write_index
from training_sandbox_webshop.shop import FORMAT

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


class RootNotEmpty(RuntimeError):  # noqa: N818 (reads better where it is caught)
    """There is something at the root already."""


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """How much was written."""

    products: int
    goals: int


def write_catalogue(
    root: Path, source: Source, seed: int, tagger: Tagger, progress: Progress
) -> Written:
    """Make a catalogue.

    Args:
        root: Where it goes; made, or empty.
        source: What it is made from.
        seed: What prices and their limits are drawn from.
        tagger: Finds the nouns of titles.
        progress: Told how it goes.

    Raises:
        RootNotEmpty: There is something at the root.
        SourceUnusable: The source cannot be understood, or has no goals.
        OSError: A file cannot be written.
    """
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise RootNotEmpty(f"{root} is not empty")
    random = Random(seed)  # noqa: S311 (nothing secret)
    products = make_products(source, random)
    goals = make_goals(source, products, random)
    if not goals:
        raise SourceUnusable("there is no goal for any of the products")
    in_order = sorted(products, key=lambda product: product.asin.encode())
    with_nouns = _with_nouns(in_order, tagger)
    write_records(root / "asins", (product.asin.encode() for product in in_order))
    write_records(
        root / "products",
        (product_records.encode(one) for one in _watched(with_nouns, "nouns", in_order, progress)),
    )
    searched = _watched(in_order, "search index", in_order, progress)
    write_index(root / "index", (product.searchable for product in searched))
    write_records(root / "instructions", (text.encode(errors="replace") for text, _ in goals))
    (root / goal_records.TRUTH).mkdir()
    write_records(
        root / goal_records.TRUTH / "goals", (goal_records.encode(goal) for _, goal in goals)
    )
    about = {"format": FORMAT, "seed": seed, "products": len(products), "goals": len(goals)}
    (root / "catalogue.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return Written(len(products), len(goals))


def _with_nouns(products: Sequence[Product], tagger: Tagger) -> Iterator[Product]:
    titles = (product.title for product in products)
    for product, nouns in zip(products, tagger(titles), strict=True):
        yield dataclasses.replace(product, nouns=nouns)


def _watched(
    products: Iterable[Product], what: str, counted: Sequence[Product], progress: Progress
) -> Iterator[Product]:
    for done, product in enumerate(products, start=1):
        yield product
        progress(what, done, len(counted))
