"""A product, as the shop shows it and the reward sees it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Review:
    """What a customer says.

    Attributes:
        title: In a few words.
        score: Stars, as text.
        body: In more words.
    """

    title: str
    score: str
    body: str


@dataclass(frozen=True, slots=True)
class Product:
    """A product.

    Attributes:
        asin: Its id; ten characters at most.
        title: Its name.
        price_tag: The price as it is shown, one or two amounts.
        price: The price that is compared with what a goal allows, in dollars; somewhere between
            the amounts of the price tag.
        rating: Shown as it is.
        options: The values of each option.
        description: A text.
        features: Bullet points.
        reviews: Reviews.
        attributes: What is true of it, in a few words each.
        category: One of few, as fashion.
        query: What its kind is searched by.
        product_category: The path to it, parted by U+203A.
        nouns: Of its title, in small letters and in order, each as often as it is there.
    """

    asin: str
    title: str
    price_tag: str
    price: float
    rating: str
    options: Mapping[str, Sequence[str]]
    description: str
    features: Sequence[str]
    reviews: Sequence[Review]
    attributes: Sequence[str]
    category: str
    query: str
    product_category: str
    nouns: Sequence[str]

    @property
    def searchable(self) -> str:
        """The text that the search looks into."""
        options = ", and ".join(
            f"{name}: {', '.join(values)}" for name, values in self.options.items()
        )
        first = self.features[0] if self.features else ""
        return " ".join((self.title, self.description, first, options)).lower()


def encode(product: Product) -> bytes:
    """A product as a record."""
    return json.dumps(asdict(product), ensure_ascii=False, separators=(",", ":")).encode(
        errors="replace"
    )


def decode(record: bytes) -> Product:
    """The product of a record; the record is one of ours."""
    fields: dict[str, Any] = json.loads(record)
    fields["reviews"] = [Review(**review) for review in fields["reviews"]]
    return Product(**fields)
