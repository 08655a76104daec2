"""Lucene's BM25 with pyserini's settings, in plain Python and from the formulas.

It has its own words (for text without marks on letters), its own stop words, and norms from a table
of the 256 lengths that a byte can mean. Only Porter's algorithm is the library's.
"""

import math
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

from nltk.stem.porter import PorterStemmer

WORD = re.compile(r"[A-Za-z0-9_]+(?:(?:(?<=[A-Za-z_])[.':](?=[A-Za-z_])|(?<=[0-9])[.',;](?=[0-9]))[A-Za-z0-9_]+)*")  # fmt: skip  # noqa: E501
_STOPPED = """
a an and are as at be but by for if in into is it no not of on or such that the their then there
these they this to was will with
"""
STOPPED = set(_STOPPED.split())
STEMMER = PorterStemmer(mode="MARTIN_EXTENSIONS")
K1, B = 0.9, 0.4


def lengths_of_bytes() -> list[int]:
    """0 to 23 as they are; then 24 more than 4 bits of mantissa and the rest of exponent."""
    exact = list(range(24))
    floats = list(range(8))
    for shift in range(28):
        floats += [(8 + mantissa) << shift for mantissa in range(8)]
    return exact + [24 + value for value in floats[:232]]


@lru_cache(None)
def stem(word: str) -> str:
    return STEMMER.stem(word)


def tokens(text: str) -> list[str]:
    words = (word.lower().removesuffix("'s") for word in WORD.findall(text))
    return [stem(word) for word in words if word not in STOPPED]


class Reference:
    def __init__(self, texts: Sequence[str]) -> None:
        table = lengths_of_bytes()
        counted = [Counter(tokens(text)) for text in texts]
        lengths = [counts.total() for counts in counted]
        self.average = sum(lengths) / len(lengths)
        self.lengths = [table[bisect_right(table, length) - 1] for length in lengths]
        self.postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for document, counts in enumerate(counted):
            for term, count in counts.items():
                self.postings[term].append((document, count))

    def search(self, query: str, limit: int) -> list[int]:
        scores: dict[int, float] = defaultdict(float)
        for term in tokens(query):
            matching = self.postings.get(term, [])
            rarity = (len(self.lengths) - len(matching) + 0.5) / (len(matching) + 0.5)
            idf = math.log(1 + rarity)
            for document, count in matching:
                norm = K1 * (1 - B + B * self.lengths[document] / self.average)
                scores[document] += idf * count / (count + norm)
        return sorted(scores, key=lambda one: (-round(scores[one], 5), one))[:limit]
