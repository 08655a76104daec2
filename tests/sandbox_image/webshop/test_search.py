"""The search is Lucene's BM25, with its analysis and its one byte for a length."""

from pathlib import Path
from random import Random

import pytest
from reference_bm25 import Reference, lengths_of_bytes

from training_sandbox_webshop.analysis import terms
from training_sandbox_webshop.search_index import SearchIndex, _as_one_byte, write_index
from training_sandbox_webshop.shop import Shop

QUERIES = 300
TOP = 10


@pytest.fixture(scope="module")
def texts(shop: Shop) -> list[str]:
    """What is searched, in documents of very different lengths."""
    random = Random(3)
    texts = [shop.product(number).searchable for number in range(shop.products)]
    return [" ".join(random.choices(texts, k=random.choice((1, 1, 2, 8)))) for _ in range(600)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> SearchIndex:
    folder = tmp_path_factory.mktemp("search") / "index"
    write_index(folder, texts)
    return SearchIndex(folder)


@pytest.fixture(scope="module")
def found(index: SearchIndex, texts: list[str]) -> list[tuple[list[int], list[int]]]:
    """What the search finds, and what the reference does."""
    random = Random(4)
    reference = Reference(texts)
    queries = [
        " ".join(random.sample(random.choice(texts).split(), random.randrange(1, 9)))
        for _ in range(QUERIES)
    ]
    return [(index.search(query, TOP), reference.search(query, TOP)) for query in queries]


def test_the_best_ten_are_those_of_the_reference(
    found: list[tuple[list[int], list[int]]],
) -> None:
    shared = sum(len(set(ours) & set(expected)) for ours, expected in found)
    of = sum(len(expected) for _, expected in found)
    assert of > QUERIES * TOP / 2
    assert shared / of >= 0.99


def test_they_come_in_the_order_of_the_reference(
    found: list[tuple[list[int], list[int]]],
) -> None:
    assert sum(ours == expected for ours, expected in found) / QUERIES >= 0.95


def test_documents_of_the_same_score_come_in_their_order(tmp_path: Path) -> None:
    write_index(tmp_path / "index", ["red shoe", "blue hat", "red shoe", "red shoe"])
    assert SearchIndex(tmp_path / "index").search("shoe", 2) == [0, 2]


def test_a_word_that_is_asked_twice_counts_twice(tmp_path: Path) -> None:
    write_index(tmp_path / "index", ["red coat", "hat coat"])
    index = SearchIndex(tmp_path / "index")
    assert index.search("red hat red", 2) == [0, 1]
    assert index.search("hat red hat", 2) == [1, 0]


@pytest.mark.parametrize("query", ["", "the of and", "zzzzz", "[]()", "\ud800", "日本"])
def test_a_query_that_matches_nothing_finds_nothing(index: SearchIndex, query: str) -> None:
    assert index.search(query, TOP) == []


def test_an_empty_document_is_found_by_nothing_and_counts_for_nothing(tmp_path: Path) -> None:
    write_index(tmp_path / "index", ["", "red shoe", ""])
    assert SearchIndex(tmp_path / "index").search("red shoe", 5) == [1]


def test_lengths_are_those_that_lucene_keeps() -> None:
    table = lengths_of_bytes()
    assert len(table) == 256
    for length in (*range(2000), 10**5, 10**6):
        assert _as_one_byte(length) == max(kept for kept in table if kept <= length)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Women's boots", ["women", "boot"]),
        ("non-slip, 3.5 inch (10,000)", ["non", "slip", "3.5", "inch", "10,000"]),
        ("possibly technological US", ["possibl", "technolog", "us"]),
        ("isn\u2019t it at 5' x 7'", ["isn\u2019t", "5", "x", "7"]),
        ("Caf\u00e9 D\u00e9cor", ["caf\u00e9", "d\u00e9cor"]),
        ("a an and -- \u2122", []),
    ],
)
def test_words_become_terms_as_in_lucene(text: str, expected: list[str]) -> None:
    assert terms(text) == expected
