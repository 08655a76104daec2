"""A generated catalogue, in the form of the files of WebShop's authors.

Each product has an instruction that a person might have written: two of its attributes and a value
of each of its options. So the product itself, with these options, is the best purchase.
"""

import string
from collections.abc import Sequence
from random import Random

from training_sandbox_webshop.catalogue.families import Family, vocabulary
from training_sandbox_webshop.catalogue.source import Raw, Source

_WANTS = (
    "i am looking for {kind}",
    "i need {kind}",
    "find me {kind}",
    "i want to buy {kind}",
    "can you find {kind}",
)
_PRAISE = ("Exactly what I hoped for", "Good value", "Would buy again", "Nice, with one flaw")
_SAID = (
    "We have used it for {use} and it did well.",
    "It arrived quickly, and it is {attribute} as they say.",
    "My family likes the {noun}, and so do I.",
)

_SHARE_OF_RANGES = 0.3
_MOST_VALUES = 8
_ASIN_DIGITS = string.digits + string.ascii_uppercase
_ASIN_TAIL = 8


def generate(products: int, seed: int) -> Source:
    """What a catalogue is made from.

    Args:
        products: How many there are; each has one goal.
        seed: The same seed and number give the same source.
    """
    random = Random(f"webshop {seed}")  # noqa: S311 (nothing secret)
    asins = _asins(products, random)
    known = vocabulary().families
    families = [known[number % len(known)] for number in range(products)]
    random.shuffle(families)
    made = [_Product(asin, family, random) for asin, family in zip(asins, families, strict=True)]
    return Source(
        products=[product.raw() for product in made],
        attributes={product.asin: {"attributes": product.attributes} for product in made},
        human_goals={product.asin: [product.instruction()] for product in made},
        reviews=[product.reviews() for product in made],
    )


def _asins(count: int, random: Random) -> list[str]:
    asins: dict[str, None] = {}
    while len(asins) < count:
        asins["B0" + "".join(random.choices(_ASIN_DIGITS, k=_ASIN_TAIL))] = None
    return list(asins)


class _Product:
    """A product of a family."""

    def __init__(self, asin: str, family: Family, random: Random) -> None:
        self.asin = asin
        self._family = family
        self._random = random
        self._brand = "".join(random.choice(parts) for parts in vocabulary().brands)
        self._model = f"{random.choice(string.ascii_uppercase)}{random.randrange(100, 1000)}"
        self._noun = random.choice(family.nouns)
        self._use = random.choice(family.uses)
        self.attributes = random.sample(family.attributes, random.randrange(3, 6))
        self._options = {name: _some(values, random) for name, values in family.options.items()}

    def raw(self) -> Raw:
        """As it is scraped."""
        first, second, *_ = self.attributes
        title = f"{self._brand} {self._noun} {self._model}, {first.title()} {second.title()}"
        price = self._random.randint(*self._family.prices) + 0.99
        is_range = self._random.random() < _SHARE_OF_RANGES
        highest = price + self._random.randrange(2, 12)
        return {
            "asin": self.asin,
            "name": f"{title} for {self._use.title()}",
            "full_description": self._description(),
            "small_description": self._features(),
            "pricing": f"${price:.2f}${highest:.2f}" if is_range else f"${price:.2f}",
            "customization_options": {
                name.title(): [
                    {"value": value, "price_string": f"${price:.2f}", "price": price, "image": None}
                    for value in values
                ]
                for name, values in self._options.items()
            },
            "category": self._family.category,
            "query": self._family.query,
            "product_category": self._family.path,
            "images": [f"https://images.invalid/{self.asin}.jpg"],
        }

    def instruction(self) -> Raw:
        """What a person would ask for who wants this product."""
        wanted = self._random.sample(self.attributes, 2)
        options = [self._random.choice(values) for values in self._options.values()]
        kind = f"{' and '.join(wanted)} {self._family.query}, {self._noun.lower()} like"
        text = self._random.choice(_WANTS).format(kind=kind)
        named = [f"{name} {value}" for name, value in zip(self._options, options, strict=True)]
        return {
            "asin": self.asin,
            "instruction": f"{text}, for {self._use}, with {' and '.join(named)}.",
            "instruction_attributes": wanted,
            "instruction_options": options,
        }

    def reviews(self) -> Raw:
        """What customers say."""
        scores = [self._random.randrange(3, 6) for _ in range(self._random.randrange(4))]
        return {
            "asin": self.asin,
            "average_rating": round(sum(scores) / len(scores), 1) if scores else "N.A.",
            "reviews": [
                {
                    "title": self._random.choice(_PRAISE),
                    "stars": score,
                    "review": self._random.choice(_SAID).format(
                        use=self._use,
                        attribute=self._random.choice(self.attributes),
                        noun=self._noun.lower(),
                    ),
                }
                for score in scores
            ],
        }

    def _description(self) -> str:
        told = ", ".join(self.attributes)
        return (
            f"The {self._brand} {self._noun} {self._model} was made for {self._use}. "
            f"What matters to us: {told}. Choose from {len(self._options)} options, and write to "
            f"{self._brand} if something is not as you expected."
        )

    def _features(self) -> list[str]:
        return [
            *(
                f"{attribute.upper()}: our {self._noun.lower()} is {attribute}, for {self._use}."
                for attribute in self.attributes
            ),
            f"WHAT YOU GET: one {self._noun.lower()} of {self._brand}, model {self._model}.",
        ]


def _some(values: Sequence[str], random: Random) -> list[str]:
    """Two or more of the values, in their order."""
    count = random.randrange(2, min(len(values), _MOST_VALUES) + 1)
    chosen = set(random.sample(values, count))
    return [value for value in values if value in chosen]
