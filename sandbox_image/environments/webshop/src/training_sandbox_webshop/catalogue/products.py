"""From what was scraped of products to the products of the shop.

Source: princeton-nlp/WebShop, load_products in engine/engine.py.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import cast

from training_sandbox_webshop.catalogue.source import Raw, Source, SourceUnusable
from training_sandbox_webshop.product import Product, Review

_LONGEST_ASIN = 10
_NO_PRICE = 100.0
_NO_RATING = "N.A."
_NO_ATTRIBUTES = ("DUMMY_ATTR",)
_TWO = 2

_NOT_IN_AMOUNTS = re.compile(r"[^\d.]")


def make_products(source: Source, random: Random) -> list[Product]:
    """The products, in the order of the source; their nouns are missing.

    Of several with the same id the first one is taken.

    Args:
        source: What was scraped.
        random: Picks the price of a product that has a range.

    Raises:
        SourceUnusable: A product lacks a field, or has one of a wrong form.
    """
    reviews = {str(of_product["asin"]): of_product for of_product in source.reviews}
    products: dict[str, Product] = {}
    for number, raw in enumerate(source.products):
        try:
            asin = str(raw["asin"])
            if asin == "nan" or len(asin) > _LONGEST_ASIN or asin in products:
                continue
            attributes = source.attributes.get(asin, {}).get("attributes", _NO_ATTRIBUTES)
            products[asin] = _product(asin, raw, attributes, reviews.get(asin, {}), random)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise SourceUnusable(f"product {number} is not one of WebShop's: {error!r}") from error
    return list(products.values())


def _product(
    asin: str, raw: Raw, attributes: Sequence[str], reviews: Raw, random: Random
) -> Product:
    amounts = _amounts(raw.get("pricing"))
    return Product(
        asin=asin,
        title=str(raw["name"]),
        price_tag=" to ".join(f"${amount}" for amount in amounts),
        price=random.uniform(*amounts) if len(amounts) == _TWO else amounts[0],
        rating=str(reviews.get("average_rating", _NO_RATING)),
        options=_options(raw["customization_options"] or {}),
        description=str(raw["full_description"] or ""),
        features=_texts(raw["small_description"]),
        reviews=[_review(review) for review in reviews.get("reviews", ())],
        attributes=list(attributes),
        category=str(raw["category"]),
        query=str(raw["query"]).lower().strip(),
        product_category=str(raw["product_category"]),
        nouns=(),
    )


def _texts(value: object) -> list[str]:
    """One text, or a list of some."""
    return [
        str(one) for one in (cast("list[object]", value) if isinstance(value, list) else [value])
    ]


def _amounts(pricing: str | None) -> list[float]:
    """The one or two amounts of `$9.99` or `$9.99$19.99`."""
    found = [
        float(Decimal(_NOT_IN_AMOUNTS.sub("", part))) for part in (pricing or "").split("$")[1:]
    ]
    return found[:_TWO] or [_NO_PRICE]


def _options(raw: Mapping[str, Sequence[Raw] | None]) -> dict[str, list[str]]:
    return {
        name.lower(): [
            str(content["value"]).strip().replace("/", " | ").lower() for content in contents
        ]
        for name, contents in raw.items()
        if contents is not None
    }


def _review(raw: Raw) -> Review:
    return Review(
        title=str(raw["title"]),
        score=str(raw["score"] if "score" in raw else raw["stars"]),
        body=str(raw.get("review", "")),
    )
