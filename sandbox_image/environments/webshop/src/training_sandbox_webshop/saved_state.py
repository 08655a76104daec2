"""What an episode saves, and evaluation starts from: what was bought."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from training_sandbox_webshop.product import Product

_LONGEST = 65536


class StateTampered(RuntimeError):  # noqa: N818 (reads better where it is caught)
    """The saved state is not one that an episode of this task saves."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase.

    Attributes:
        asin: The id of the product.
        options: The value of each option that was chosen.
    """

    asin: str
    options: Mapping[str, str]


def encode(task: str, purchase: Purchase | None) -> bytes:
    """The saved state of an episode.

    Args:
        task: The id of its task.
        purchase: What was bought; None if nothing was.
    """
    bought = None if purchase is None else {"asin": purchase.asin, "options": purchase.options}
    return json.dumps({"task": task, "bought": bought}).encode()


def decode(state: bytes, task: str) -> Purchase | None:
    """The purchase in a saved state of this task; None if there is none.

    Raises:
        StateTampered: It is nothing that `encode` returns for this task.
    """
    if len(state) > _LONGEST:
        raise StateTampered(f"it has {len(state)} bytes, and at most {_LONGEST} are read")
    try:
        content: object = json.loads(state)
    except (ValueError, RecursionError) as error:
        raise StateTampered("it is not JSON") from error
    fields = _fields(content, {"task", "bought"}, "it")
    if fields["task"] != task:
        raise StateTampered("it is of another task")
    if fields["bought"] is None:
        return None
    bought = _fields(fields["bought"], {"asin", "options"}, "bought")
    asin, options = bought["asin"], bought["options"]
    if not isinstance(asin, str) or not isinstance(options, dict):
        raise StateTampered("bought has a part of a wrong type")
    chosen = cast("dict[str, object]", options)
    if not all(isinstance(value, str) for value in chosen.values()):
        raise StateTampered("an option that was chosen is no text")
    return Purchase(asin, cast("dict[str, str]", chosen))


def require_possible(purchase: Purchase, product: Product | None) -> Product:
    """The product that was bought, if it can be bought with these options.

    Raises:
        StateTampered: There is no such product, or it does not have such options.
    """
    if product is None:
        raise StateTampered("no product has the id that was bought")
    for name, value in purchase.options.items():
        if value not in product.options.get(name, ()):
            raise StateTampered(f"{product.asin} has no such option: {name[:100]}")
    return product


def _fields(value: object, names: set[str], what: str) -> dict[str, object]:
    if not isinstance(value, dict) or set(cast("dict[str, object]", value)) != names:
        raise StateTampered(f"{what} is not an object with {' and '.join(sorted(names))}")
    return cast("dict[str, object]", value)
