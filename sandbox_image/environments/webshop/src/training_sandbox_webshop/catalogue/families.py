"""Kinds of products of a generated catalogue, and the words that they are made of.

They are in `families.json`: the parts of brands' names, pools of options' values, departments and
the families of each.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of product.

    Attributes:
        category: One of WebShop's five: beauty, electronics, fashion, garden, grocery.
        path: The path to it in the store, as in `Product.product_category`.
        query: What people search for.
        nouns: Names of it.
        attributes: What can be true of it.
        uses: What it is for.
        options: The values that each option can have.
        prices: The least and the highest, in dollars.
    """

    category: str
    path: str
    query: str
    nouns: Sequence[str]
    attributes: Sequence[str]
    uses: Sequence[str]
    options: Mapping[str, Sequence[str]]
    prices: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What generated products are made of.

    Attributes:
        brands: The parts of a brand's name, in order, each with its choices.
        families: All kinds of products.
    """

    brands: Sequence[Sequence[str]]
    families: Sequence[Family]


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary of this package."""
    content: dict[str, Any] = json.loads(
        files("training_sandbox_webshop.catalogue")
        .joinpath("families.json")
        .read_text(encoding="utf-8")
    )
    return Vocabulary(
        brands=content["brands"],
        families=[
            _family(family, content["departments"][family["department"]], content["pools"])
            for family in content["families"]
        ],
    )


def _family(
    family: Mapping[str, Any], department: Mapping[str, Any], pools: Mapping[str, Sequence[str]]
) -> Family:
    least, highest = family["prices"]
    return Family(
        category=department["category"],
        path=family["path"],
        query=family["query"],
        nouns=family["nouns"],
        attributes=department["attributes"],
        uses=department["uses"],
        options={name: pools[pool] for name, pool in family["options"].items()},
        prices=(least, highest),
    )
