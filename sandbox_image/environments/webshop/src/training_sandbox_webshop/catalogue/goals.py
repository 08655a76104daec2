"""The goals of a catalogue: of people's instructions, or put together from options.

Source: princeton-nlp/WebShop, get_goals in engine/goal.py and SimServer. The limits of prices are
drawn from the catalogue's seed; WebShop draws them anew at each start.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from training_sandbox_webshop.catalogue.source import Raw, Source
from training_sandbox_webshop.goal import Goal
from training_sandbox_webshop.product import Product

SHUFFLE_SEED = 233
"""With it WebShop's goals come in WebShop's order."""

_LIMITS = tuple(10.0 * step for step in range(1, 100))
_LIMITS_ABOVE_A_PRICE = 4
_NO_LIMIT = 1000000.0
_TWO = 2

Instructed = tuple[str, Goal]
"""An instruction, and what it wants."""


def make_goals(source: Source, products: Sequence[Product], random: Random) -> list[Instructed]:
    """The goals, in their final order.

    Args:
        source: Where the instructions are.
        products: All products, in the order of the source.
        random: Draws the limits of prices.
    """
    goals = [
        goal
        for product in products
        for goal in (
            _put_together(product, source.attributes.get(product.asin, {}), random)
            if source.human_goals is None
            else _written(product, source.human_goals.get(product.asin, ()), random)
        )
    ]
    Random(SHUFFLE_SEED).shuffle(goals)  # noqa: S311 (an order that is known to all)
    return goals


def _written(product: Product, instructions: Sequence[Raw], random: Random) -> Iterator[Instructed]:
    """The goals that people wrote; without attributes they do not count."""
    for written in instructions:
        attributes = list(written["instruction_attributes"])
        if attributes:
            limit, limit_text = _price_limit(product.price, random)
            text = str(written["instruction"]).strip(".") + limit_text
            options: Sequence[str] | Mapping[str, str] = written["instruction_options"]
            yield text, Goal(product.asin, attributes, options, limit)


def _put_together(product: Product, known: Raw, random: Random) -> Iterator[Instructed]:
    """One goal for each combination of options; they have the price's limit in common."""
    instruction = known.get("instruction")
    if instruction is None:
        return
    limit, limit_text = _price_limit(product.price, random)
    names = sorted(product.options)
    for values in itertools.product(*(product.options[name] for name in names)):
        options = dict(zip(names, values, strict=True))
        chosen = ", and ".join(f"{name}: {value}" for name, value in options.items())
        with_options = f" with {chosen}" if chosen else ""
        text = f"{instruction}{with_options}{limit_text}"
        yield text, Goal(product.asin, list(known["instruction_attributes"]), options, limit)


def _price_limit(price: float, random: Random) -> tuple[float, str]:
    """A limit that the price is below, and how it is said."""
    above = [limit for limit in _LIMITS if limit > price][:_LIMITS_ABOVE_A_PRICE]
    if len(above) < _TWO:
        return _NO_LIMIT, ""
    limit = max(random.sample(above, _TWO))
    return limit, f", and price lower than {limit:.2f} dollars"
