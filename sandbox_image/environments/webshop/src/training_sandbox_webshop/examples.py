"""Known ways to play the goals of the catalogue: the best actions, and a purchase that is worse."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training_sandbox_webshop.goal import Goal, read_goal
from training_sandbox_webshop.pages import BUY_NOW, NEXT_PAGE
from training_sandbox_webshop.product import Product
from training_sandbox_webshop.reward import is_chosen, score
from training_sandbox_webshop.shop import DEFAULT_ROOT, RESULTS_A_PAGE, ROOT_VARIABLE, Shop
from training_sandbox_worker.environment import Message
from training_sandbox_worker.examples import Example

_AT_MOST = 100

_NOT_IN_KEYWORDS = re.compile(r"[\[\]\n]")


def examples() -> Sequence[Example]:
    """Examples of a hundred goals of the catalogue at WEBSHOP_ROOT, or of all if it has fewer."""
    root = Path(os.environ.get(ROOT_VARIABLE, DEFAULT_ROOT))
    shop = Shop(root)
    step = max(1, shop.goals // _AT_MOST)
    made = (example_of(root, shop, number) for number in range(0, shop.goals, step))
    return [example for example in made if example is not None][:_AT_MOST]


def example_of(root: Path, shop: Shop, number: int) -> Example | None:
    """How a goal is played; None if the full reward is out of reach.

    Every generated goal can be reached. Of goals that people wrote some cannot, because they name
    what the product does not have.

    Args:
        root: The catalogue.
        shop: The same, open.
        number: Of the goal.
    """
    goal = read_goal(root, number)
    visit = _visit(shop, goal)
    if visit is None:
        return None
    options = _options(goal, visit.target)
    if score(goal, visit.target, visit.target, options).reward < 1.0:
        return None
    right = [*visit.way_to(visit.place), *_clicks(*options.values(), BUY_NOW)]
    return Example(str(number), right, _wrong(goal, visit, shop))


@dataclass(frozen=True, slots=True)
class _Visit:
    """A search for the product that is wanted: what it finds, and where the product is."""

    target: Product
    keywords: str
    found: Sequence[int]
    asins: Sequence[str]
    place: int

    def way_to(self, place: int) -> list[Message]:
        turns = [NEXT_PAGE] * (place // RESULTS_A_PAGE)
        search: Message = {"role": "assistant", "content": f"search[{self.keywords}]"}
        return [search, *_clicks(*turns, self.asins[place])]


def _visit(shop: Shop, goal: Goal) -> _Visit | None:
    target = shop.find(goal.asin)
    if target is None:
        return None
    keywords = _NOT_IN_KEYWORDS.sub(" ", target.title)
    found = shop.search(keywords.lower())
    asins = [shop.product(number).asin for number in found]
    if target.asin not in asins:
        return None
    return _Visit(target, keywords, found, asins, asins.index(target.asin))


def _options(goal: Goal, target: Product) -> dict[str, str]:
    """A value of an option for each that the goal wants."""
    if isinstance(goal.options, Mapping):
        return dict(goal.options)
    chosen: dict[str, str] = {}
    for wanted in goal.options:
        for name, values in target.options.items():
            matching = [value for value in values if is_chosen(wanted, [value])]
            if name not in chosen and matching:
                chosen[name] = wanted if wanted in matching else matching[0]
                break
    return chosen


def _wrong(goal: Goal, visit: _Visit, shop: Shop) -> list[Message]:
    """Buy what is found last and does not have the full reward; or just leave."""
    for place in reversed(range(len(visit.found))):
        product = shop.product(visit.found[place])
        if score(goal, visit.target, product, {}).reward < 1.0:
            return [*visit.way_to(place), *_clicks(BUY_NOW)]
    return visit.way_to(visit.place)


def _clicks(*elements: str) -> list[Message]:
    return [{"role": "assistant", "content": f"click[{element}]"} for element in elements]
