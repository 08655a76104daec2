"""What is open of a catalogue: products, instructions and the search, mapped from files."""

import json
from pathlib import Path
from typing import Any

from training_sandbox_webshop.product import Product, decode
from training_sandbox_webshop.records import Records
from training_sandbox_webshop.search_index import SearchIndex

FORMAT = 1
ROOT_VARIABLE = "WEBSHOP_ROOT"
DEFAULT_ROOT = "/opt/catalogue"
RESULTS = 50
RESULTS_A_PAGE = 10

_WHAT_TO_DO = (
    f"Mount a catalogue there or set {ROOT_VARIABLE} to one; "
    "`python -m training_sandbox_webshop.catalogue --root DIR` generates one."
)


class CatalogueUnusable(RuntimeError):  # noqa: N818 (reads better where it is caught)
    """There is no catalogue at the root, or not one that this version reads."""


class Shop:
    """A catalogue without its truth.

    Args:
        root: What `catalogue.writer.write_catalogue` wrote.

    Raises:
        CatalogueUnusable: It is not there, or not whole.
    """

    def __init__(self, root: Path) -> None:
        try:
            about: dict[str, Any] = json.loads((root / "catalogue.json").read_bytes())
            if about["format"] != FORMAT:
                raise CatalogueUnusable(
                    f"The catalogue at {root} has the format {about['format']}, not {FORMAT}. "
                    + _WHAT_TO_DO
                )
            self._asins = Records(root / "asins")
            self._products = Records(root / "products")
            self._instructions = Records(root / "instructions")
            self._index = SearchIndex(root / "index")
        except (OSError, ValueError, KeyError) as error:
            raise CatalogueUnusable(
                f"There is no catalogue at {root}: {error}. {_WHAT_TO_DO}"
            ) from error

    @property
    def goals(self) -> int:
        """How many there are; their numbers start at 0."""
        return len(self._instructions)

    @property
    def products(self) -> int:
        """How many there are; their numbers start at 0."""
        return len(self._products)

    def instruction(self, goal: int) -> str:
        """What the agent is asked for."""
        return self._instructions[goal].decode()

    def product(self, number: int) -> Product:
        """The product of a number."""
        return decode(self._products[number])

    def find(self, asin: str) -> Product | None:
        """The product of an id; None if there is none."""
        number = self._asins.find(asin.encode(errors="replace"))
        return None if number is None else self.product(number)

    def search(self, keywords: str) -> list[int]:
        """The numbers of the products that match best."""
        return self._index.search(keywords, RESULTS)
