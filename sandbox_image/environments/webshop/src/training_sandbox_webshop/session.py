"""A visit to the shop: which page is open, and what an action changes.

Source: princeton-nlp/WebShop, SimServer and WebAgentTextEnv in web_agent_text_env.py. An action
that the page does not offer changes nothing. A search is possible on every page but the last, also
where there is no search bar: so it is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from training_sandbox_webshop import pages
from training_sandbox_webshop.pages import Kind, Node, Page
from training_sandbox_webshop.product import Product
from training_sandbox_webshop.shop import RESULTS_A_PAGE, Shop

_SUB_PAGES = {
    name.lower(): name
    for name in (pages.DESCRIPTION, pages.FEATURES, pages.REVIEWS, pages.ATTRIBUTES)
}


@dataclass(slots=True)
class _Search:
    found: list[int]
    page: int = 1


@dataclass(slots=True)
class Session:
    """A visit, from the search page to a purchase.

    Attributes:
        shop: What is sold.
        instruction: What is asked for.
        show_attributes: Whether an item page leads to the product's attributes.
        options: The value of each option that was chosen of the product that is open.
        visited: The ids of the products that were looked at since the search page.
        bought: The id of the product that was bought.
    """

    shop: Shop
    instruction: str
    show_attributes: bool
    options: dict[str, str] = field(default_factory=dict[str, str])
    visited: set[str] = field(default_factory=set[str])
    bought: str | None = None
    _search: _Search | None = None
    _product: Product | None = None
    _sub_page: str | None = None

    @property
    def page(self) -> Page:
        """The page that is open."""
        if self.bought is not None:
            return pages.done_page(self.bought, self.options)
        if self._product is not None and self._sub_page is not None:
            return pages.sub_page(self.instruction, self._product, self._sub_page)
        if self._product is not None:
            return pages.item_page(
                self.instruction, self._product, show_attributes=self.show_attributes
            )
        if self._search is not None:
            first = (self._search.page - 1) * RESULTS_A_PAGE
            found = self._search.found[first : first + RESULTS_A_PAGE]
            return pages.results_page(
                self.instruction,
                [self.shop.product(number) for number in found],
                self._search.page,
                len(self._search.found),
            )
        return pages.search_page(self.instruction)

    @property
    def clickables(self) -> Mapping[str, Node]:
        """What the open page offers to click, by the text that clicks it."""
        return pages.clickables(self.page)

    def search(self, keywords: str) -> None:
        """Search for products; without keywords nothing happens."""
        if keywords and self.bought is None:
            self._search = _Search(self.shop.search(keywords.lower()))
            self._leave_product()

    def click(self, element: str) -> None:
        """Click what has this text, in letters of any case; nothing happens where there is none."""
        element = element.lower()
        clicked = self.clickables.get(element)
        if clicked is None or element == pages.SEARCH.lower():
            return
        match element:
            case "buy now" if self._product is not None:
                self.bought = self._product.asin
            case "back to search":
                self._search = None
                self.visited.clear()
                self._leave_product()
            case "next >" if self._search is not None and self._product is None:
                self._search.page += 1
            case "< prev":
                self._go_back()
            case name if name in _SUB_PAGES:
                self._sub_page = _SUB_PAGES[name]
            case _:
                self._click_in_shop(clicked)

    def _go_back(self) -> None:
        if self._sub_page is not None:
            self._sub_page = None
        elif self._product is not None:
            self._leave_product()
        elif self._search is not None:
            self._search.page -= 1

    def _click_in_shop(self, clicked: Node) -> None:
        if clicked.kind is Kind.LINK:
            self._product = self.shop.find(clicked.text)
            self.visited.add(clicked.text)
        elif clicked.kind is Kind.OPTION:
            self.options[clicked.option] = clicked.text

    def _leave_product(self) -> None:
        self._product = None
        self._sub_page = None
        self.options = {}
