"""The pages of the shop, and the two ways in which an agent sees them.

A page is a list of nodes: the texts that a browser would show of WebShop's HTML, in its order.
Source of the texts and of both ways: princeton-nlp/WebShop, templates and web_agent_text_env.py.
"""

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum, auto

from training_sandbox_webshop.product import Product

SEARCH = "Search"
BACK_TO_SEARCH = "Back to Search"
NEXT_PAGE = "Next >"
PREVIOUS_PAGE = "< Prev"
BUY_NOW = "Buy Now"
DESCRIPTION = "Description"
FEATURES = "Features"
REVIEWS = "Reviews"
ATTRIBUTES = "Attributes"

SEPARATOR = " [SEP] "


class Kind(Enum):
    """What a text is, for who clicks."""

    TEXT = auto()
    BUTTON = auto()
    OPTION = auto()
    LINK = auto()


@dataclass(frozen=True, slots=True)
class Node:
    """A text of a page.

    Attributes:
        text: As it is in the page.
        kind: What it is.
        option: The name of the option whose value the text is.
    """

    text: str
    kind: Kind = Kind.TEXT
    option: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What a browser shows.

    Attributes:
        nodes: The texts, in order.
        has_search_bar: Whether there is an input for keywords.
    """

    nodes: Sequence[Node]
    has_search_bar: bool = False


def search_page(instruction: str) -> Page:
    """Where an episode starts."""
    nodes = [*_texts("WebShop", "Instruction: ", instruction), Node(SEARCH, Kind.BUTTON)]
    return Page(nodes, has_search_bar=True)


def results_page(instruction: str, found: Sequence[Product], number: int, total: int) -> Page:
    """A page of what a search found.

    Args:
        instruction: What is asked for.
        found: The products of the page; none if there are fewer pages.
        number: Of the page, from 1 on.
        total: How many products were found.
    """
    nodes = [*_head(instruction), *_texts(f"Page {number} (Total results: {total})")]
    if number > 1:
        nodes.append(Node(PREVIOUS_PAGE, Kind.BUTTON))
    nodes.append(Node(NEXT_PAGE, Kind.BUTTON))
    for product in found:
        nodes.append(Node(product.asin, Kind.LINK))
        nodes += _texts(product.title, product.price_tag)
    return Page(nodes)


def item_page(instruction: str, product: Product, *, show_attributes: bool) -> Page:
    """A product with its options."""
    nodes = [*_head(instruction), Node(PREVIOUS_PAGE, Kind.BUTTON)]
    for name, values in product.options.items():
        nodes += _texts(name)
        nodes += [Node(value, Kind.OPTION, name) for value in values]
    nodes += _texts(product.title, f"Price: {product.price_tag}", f"Rating: {product.rating}")
    buttons = (DESCRIPTION, FEATURES, REVIEWS, *([ATTRIBUTES] if show_attributes else []), BUY_NOW)
    return Page([*nodes, *(Node(button, Kind.BUTTON) for button in buttons)])


def sub_page(instruction: str, product: Product, name: str) -> Page:
    """More about a product.

    Args:
        instruction: What is asked for.
        product: The product.
        name: DESCRIPTION, FEATURES, REVIEWS or ATTRIBUTES.
    """
    texts: Sequence[str]
    match name:
        case "Description":
            texts = [product.description]
        case "Features":
            texts = [f" {feature}" for feature in product.features]
        case "Reviews":
            texts = [
                text
                for review in product.reviews
                for text in (f'"{review.title}"', review.score, review.body)
            ]
        case _:
            texts = [f" {attribute}" for attribute in product.attributes]
            texts += [product.category, product.query, product.product_category]
    return Page([*_head(instruction), Node(PREVIOUS_PAGE, Kind.BUTTON), *_texts(*texts)])


def done_page(asin: str, options: Mapping[str, str]) -> Page:
    """After a purchase. Unlike WebShop's it does not tell the score: no episode knows it."""
    thanks = "Thank you for shopping with us!"
    return Page(_texts(thanks, "Purchased", "asin", asin, "options", json.dumps(options)))


def clickables(page: Page) -> dict[str, Node]:
    """What can be clicked, by the text that clicks it."""
    named = [node for node in page.nodes if node.kind is Kind.BUTTON]
    named += [node for node in page.nodes if node.kind is Kind.LINK]
    options = [node for node in page.nodes if node.kind is Kind.OPTION]
    return {node.text.lower(): node for node in named} | {node.text: node for node in options}


def plain_text(page: Page) -> str:
    """WebShop's `text`: what the page says, with separators."""
    return SEPARATOR.join(text.strip() for node in page.nodes if (text := _shown(node.text)))


def rich_text(page: Page, chosen: Mapping[str, str], visited: Set[str]) -> str:
    """WebShop's `text_rich`: buttons are marked, and what was clicked of them.

    Args:
        page: The page.
        chosen: The value of each option that was chosen.
        visited: The ids of the products that were looked at since the search page.
    """
    marks = json.dumps(chosen)
    lines: list[str] = []
    clicked: list[str] = []
    for node in page.nodes:
        text = _shown(node.text)
        if not text:
            continue
        match node.kind:
            case Kind.BUTTON:
                lines.append(f"[button] {text} [button_]")
            case Kind.OPTION if f'"{text}"' in marks:
                lines.append(f"  [clicked button] {text} [clicked button_]")
                clicked.append(f"You have clicked {text}.")
            case Kind.OPTION:
                lines.append(f"  [button] {text} [button_]")
            case Kind.LINK:
                mark = "clicked button" if text in visited else "button"
                lines.append(f"\n[{mark}] {text} [{mark}_]")
            case Kind.TEXT:
                lines.append(text)
    return "".join(f"{line}\n" for line in (*reversed(clicked), *lines))


def _head(instruction: str) -> list[Node]:
    return [*_texts("Instruction:", instruction), Node(BACK_TO_SEARCH, Kind.BUTTON)]


def _texts(*texts: str) -> list[Node]:
    return [Node(text) for text in texts]


def _shown(text: str) -> str:
    """The text as WebShop's HTML parser gives it: blanks alone are one, or nothing with a newline.

    An empty text is no node of a page, and the parser's lone newlines are left out.
    """
    if text.strip():
        return text
    return "" if "\n" in text else text[:1] and " "
