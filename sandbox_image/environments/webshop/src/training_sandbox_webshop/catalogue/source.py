"""What a catalogue is made from, in the form of the files of WebShop's authors.

- products: `items_shuffle.json`, a list of what was scraped of each product;
- attributes: `items_ins_v2.json`, by a product's id its attributes and maybe an instruction;
- human goals: `items_human_ins.json`, by a product's id the instructions that people wrote;
- reviews: `reviews.json`, a list of the reviews of each product.

A generated catalogue takes this form too, so that there is one way from here to the shop.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

Raw = Mapping[str, Any]
"""A JSON object whose fields are checked where they are used."""


class SourceUnusable(ValueError):  # noqa: N818 (reads better where it is caught)
    """A file is not what it should be."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a catalogue is made from.

    Attributes:
        products: As in `items_shuffle.json`.
        attributes: As in `items_ins_v2.json`.
        human_goals: As in `items_human_ins.json`; without them the goals are put together from the
            instructions in `attributes` and every combination of a product's options.
        reviews: As in `reviews.json`.
    """

    products: Sequence[Raw]
    attributes: Mapping[str, Raw]
    human_goals: Mapping[str, Sequence[Raw]] | None = None
    reviews: Sequence[Raw] = ()


def read_source(
    products: Path,
    attributes: Path,
    human_goals: Path | None = None,
    reviews: Path | None = None,
    *,
    limit: int | None = None,
) -> Source:
    """Read the files.

    Args:
        products: In the form of `items_shuffle.json`.
        attributes: In the form of `items_ins_v2.json`.
        human_goals: In the form of `items_human_ins.json`.
        reviews: In the form of `reviews.json`.
        limit: How many products are taken from the beginning; None: all.

    Raises:
        SourceUnusable: A file is not JSON of this form.
        OSError: It cannot be read.
    """
    taken = _objects(products)
    return Source(
        products=taken if limit is None else taken[:limit],
        attributes=cast("Mapping[str, Raw]", _mapping(attributes, dict)),
        human_goals=None
        if human_goals is None
        else cast("Mapping[str, Sequence[Raw]]", _mapping(human_goals, list)),
        reviews=() if reviews is None else _objects(reviews),
    )


def _objects(path: Path) -> list[Raw]:
    content = _json(path)
    if not isinstance(content, list) or not all(
        isinstance(one, dict) for one in cast("list[object]", content)
    ):
        raise SourceUnusable(f"{path} is not a list of objects")
    return cast("list[Raw]", content)


def _mapping(path: Path, kind: type) -> Mapping[str, object]:
    content = _json(path)
    if not isinstance(content, dict):
        raise SourceUnusable(f"{path} is not an object by product id")
    by_id = cast("dict[str, object]", content)
    for asin, value in by_id.items():
        if not isinstance(value, kind):
            wanted = "a list of instructions" if kind is list else "an object with attributes"
            raise SourceUnusable(f"{path}: {asin} is not {wanted}")
    return by_id


def _json(path: Path) -> object:
    try:
        with path.open(encoding="utf-8") as file:
            return json.load(file)
    except ValueError as error:
        raise SourceUnusable(f"{path} is not JSON: {error}") from error
