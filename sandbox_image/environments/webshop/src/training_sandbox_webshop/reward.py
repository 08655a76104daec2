"""The reward of a purchase, as WebShop's authors published it.

    r_type x (attributes + options + price that match) / (attributes + options of the goal + 1)

Source: princeton-nlp/WebShop, engine/goal.py and engine/normalize.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.utils import default_process

from training_sandbox_webshop.goal import Goal
from training_sandbox_webshop.product import Product

_COLORS = """
alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown
burgundy camel camo caramel champagne charcoal cheetah chestnut chocolate christmas coffee
cognac copper coral cranberry cream crystal dark denim eggplant elephant espresso fuchsia gold
granite grape graphite grass gray green grey heather indigo ivory ivy khaki lavender lemon
leopard light lilac lime magenta maroon mauve merlot midnight mint mocha multicolor mushroom
mustard natural navy nude olive orange peach pewter pink plum purple rainbow red rose royal rust
sand sapphire seashell silver skull slate steel stone stonewash sunflower tan taupe teal tiger
turquoise violet walnut wheat white wine yellow
"""
COLORS = tuple(_COLORS.split())
"""In the order in which they are looked for; the first one that is found counts."""

_LIKE_ENOUGH = 85
_MIN_COMMON_CATEGORIES = 2
_SIMILAR_TITLE = 0.2
_UNLIKE_TITLE = 0.1
_CATEGORY_PARTS = "\u203a"

_LEFT_OUT = dict.fromkeys(range(128, 256))
"""The characters that thefuzz drops before it compares."""

Option = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Score:
    """A reward and what it is made of.

    Attributes:
        type: The share that the kind of product leaves of the reward: 1, 0.5, 0.1 or 0.
        attributes: How many of the goal's attributes match.
        options: How many of its options match.
        price: Whether the price is one that it allows.
        wanted: The number of its attributes and options, and 1 for the price.
    """

    type: float
    attributes: int
    options: int
    price: bool
    wanted: int

    @property
    def reward(self) -> float:
        """Between 0 and 1."""
        return (self.attributes + self.options + self.price) / self.wanted * self.type


def score(goal: Goal, target: Product, bought: Product, options: Mapping[str, str]) -> Score:
    """Compare a purchase with a goal.

    Args:
        goal: The goal.
        target: The product that the goal wants.
        bought: The product that was bought.
        options: The value of each option that was chosen.
    """
    wanted_options: list[Option] = list(
        goal.options.items() if isinstance(goal.options, Mapping) else goal.options
    )
    return Score(
        type=type_share(target, bought),
        attributes=sum(has_attribute(bought, attribute) for attribute in goal.attributes),
        options=sum(is_chosen(wanted, options.values()) for wanted in wanted_options),
        price=bought.price <= goal.price_upper,
        wanted=len(goal.attributes) + len(wanted_options) + 1,
    )


def type_share(target: Product, bought: Product) -> float:
    """How much a product is of the kind that is wanted: 1, 0.5, 0.1 or 0."""
    if target.nouns:
        common = len(set(bought.nouns) & set(target.nouns)) / len(target.nouns)
    else:
        common = _SIMILAR_TITLE
    if common == 0:
        return 0.0
    if common < _UNLIKE_TITLE:
        return 0.1
    categories = _categories(bought) & _categories(target)
    of_the_kind = (
        bought.query == target.query
        or len(categories) >= _MIN_COMMON_CATEGORIES
        or common > _SIMILAR_TITLE
    )
    return 1.0 if of_the_kind else 0.5


def has_attribute(bought: Product, attribute: str) -> bool:
    """Whether one of a product's attributes is like this one, or a text of it contains it."""
    return any(_alike(own, attribute) for own in bought.attributes) or any(
        attribute in text.lower()
        for text in (bought.title, " ".join(bought.features), bought.description)
    )


def is_chosen(wanted: Option, chosen: Iterable[str]) -> bool:
    """Whether one of the values that were chosen is like the option that is wanted."""
    return any(_alike(_color_of(value), _color_of(wanted)) for value in chosen)


def _color_of(option: Option) -> Option:
    """The first color in a value, or the option itself.

    An option with its name is one of its parts, or no color at all: so it is in WebShop.
    """
    return next((color for color in COLORS if color in option), option)


def _alike(one: Option, other: Option) -> bool:
    ratio = fuzz.token_set_ratio(_compared(one), _compared(other))
    return round(ratio) > _LIKE_ENOUGH


def _compared(option: Option) -> str:
    return default_process(str(option).translate(_LEFT_OUT))


def _categories(product: Product) -> set[str]:
    return {part.strip() for part in product.product_category.split(_CATEGORY_PARTS)}
