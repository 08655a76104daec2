"""What a visit shows and what actions change, as in WebShop."""

import pytest

from training_sandbox_webshop.pages import Node, Page, plain_text, rich_text
from training_sandbox_webshop.product import Product
from training_sandbox_webshop.session import Session
from training_sandbox_webshop.shop import Shop

MANY = "choose from options"
"""Words that every product has."""


def shown(session: Session) -> list[str]:
    return plain_text(session.page).split(" [SEP] ")


@pytest.fixture
def product(shop: Shop) -> Product:
    """A product with two options and reviews."""
    products = (shop.product(number) for number in range(shop.products))
    return next(one for one in products if len(one.options) == 2 and one.reviews)


@pytest.fixture
def at_product(session: Session, product: Product) -> Session:
    """A visit that has come to the product."""
    session.search(product.title)
    session.click(product.asin)
    return session


def test_a_visit_starts_with_the_instruction_and_a_search_bar(session: Session) -> None:
    assert shown(session) == ["WebShop", "Instruction:", session.instruction, "Search"]
    assert session.page.has_search_bar
    assert list(session.clickables) == ["search"]


def test_a_search_shows_ten_of_fifty(session: Session, shop: Shop) -> None:
    session.search(MANY)
    texts = shown(session)
    assert texts[:5] == [
        "Instruction:",
        session.instruction,
        "Back to Search",
        "Page 1 (Total results: 50)",
        "Next >",
    ]
    found = [texts[at : at + 3] for at in range(5, len(texts), 3)]
    products = [shop.find(asin) for asin, _, _ in found]
    assert len(found) == 10
    assert found == [[one.asin, one.title, one.price_tag] for one in products if one]
    assert not session.page.has_search_bar
    assert list(session.clickables) == [
        "back to search",
        "next >",
        *(asin.lower() for asin, _, _ in found),
    ]


def test_pages_turn_both_ways_and_go_on_without_end(session: Session) -> None:
    session.search(MANY)
    first = shown(session)
    session.click("Next >")
    second = shown(session)
    assert second[3:6] == ["Page 2 (Total results: 50)", "< Prev", "Next >"]
    assert not set(first[5::3]) & set(second[6::3])
    session.click("< Prev")
    assert shown(session) == first
    for _ in range(6):
        session.click("next >")
    assert shown(session)[3:] == ["Page 7 (Total results: 50)", "< Prev", "Next >"]


def test_an_item_page_has_options_price_and_more(at_product: Session, product: Product) -> None:
    options = [text for name, values in product.options.items() for text in (name, *values)]
    assert shown(at_product)[2:] == [
        "Back to Search",
        "< Prev",
        *options,
        product.title,
        f"Price: {product.price_tag}",
        f"Rating: {product.rating}",
        "Description",
        "Features",
        "Reviews",
        "Buy Now",
    ]
    values = [value for values in product.options.values() for value in values]
    assert list(at_product.clickables) == [
        *("back to search", "< prev", "description", "features", "reviews", "buy now"),
        *values,
    ]


def test_sub_pages_tell_more_and_lead_back(at_product: Session, product: Product) -> None:
    before = shown(at_product)
    reviews = [(f'"{one.title}"', one.score, one.body) for one in product.reviews]
    for name, texts in (
        ("Description", [product.description]),
        ("Features", product.features),
        ("Reviews", [text for review in reviews for text in review]),
    ):
        at_product.click(name)
        assert shown(at_product)[2:] == ["Back to Search", "< Prev", *texts]
        at_product.click("< Prev")
        assert shown(at_product) == before


def test_attributes_are_shown_where_that_is_wanted(shop: Shop, product: Product) -> None:
    session = Session(shop, "buy", show_attributes=True)
    session.search(product.title)
    session.click(product.asin)
    session.click("Attributes")
    kind = [product.category, product.query, product.product_category]
    assert shown(session)[4:] == [*product.attributes, *kind]


def test_without_that_there_is_no_such_page(at_product: Session) -> None:
    before = shown(at_product)
    at_product.click("Attributes")
    assert shown(at_product) == before


def test_one_value_of_each_option_is_chosen(at_product: Session, product: Product) -> None:
    for name, values in product.options.items():
        at_product.click(values[0].upper())
        at_product.click(values[1])
        assert at_product.options[name] == values[1]
    at_product.click("Features")
    assert len(at_product.options) == 2


@pytest.mark.parametrize("leave", ["< Prev", "Back to Search"])
def test_leaving_a_product_forgets_the_options(
    at_product: Session, product: Product, leave: str
) -> None:
    at_product.click(next(iter(product.options.values()))[0])
    at_product.click(leave)
    assert at_product.options == {}


def test_back_from_a_product_is_the_page_of_results(session: Session) -> None:
    session.search(MANY)
    session.click("Next >")
    page = shown(session)
    session.click(page[6])
    session.click("< Prev")
    assert shown(session) == page


def test_a_search_is_possible_on_every_page(at_product: Session) -> None:
    at_product.search("tea")
    assert shown(at_product)[3].startswith("Page 1 ")


@pytest.mark.parametrize("element", ["Buy Now", "Next >", "Search", "B000000000", "", "no such"])
def test_what_a_page_does_not_offer_changes_nothing(session: Session, element: str) -> None:
    before = shown(session)
    session.click(element)
    session.search("")
    assert shown(session) == before


def test_buying_ends_the_visit(at_product: Session, product: Product) -> None:
    value = product.options["size"][0]
    at_product.click(value)
    at_product.click("Buy Now")
    last = shown(at_product)
    at_product.search("tea")
    at_product.click("Back to Search")
    assert shown(at_product) == last
    assert (at_product.bought, at_product.options) == (product.asin, {"size": value})


def test_rich_text_marks_what_can_be_clicked_and_what_was(
    at_product: Session, product: Product
) -> None:
    value, other = product.options["size"][:2]
    at_product.click(value)
    text = rich_text(at_product.page, at_product.options, at_product.visited)
    assert text.startswith(f"You have clicked {value}.\nInstruction:\n{at_product.instruction}\n")
    assert f"\n  [clicked button] {value} [clicked button_]\n  [button] {other} [button_]\n" in text
    assert "\n[button] Buy Now [button_]\n" in text
    at_product.click("< Prev")
    text = rich_text(at_product.page, at_product.options, at_product.visited)
    assert f"\n\n[clicked button] {product.asin} [clicked button_]\n{product.title}\n" in text


def test_texts_without_letters_are_shown_as_webshops_parser_leaves_them() -> None:
    page = Page([Node(text) for text in ("a", "", " \n ", "  ", " b ")])
    assert plain_text(page) == "a [SEP]  [SEP] b"
    assert rich_text(page, {}, set()) == "a\n \n b \n"
