"""The search of the shop: BM25 with Lucene's arithmetic over memory-mapped postings.

k1 is 0.9 and b is 0.4, as pyserini sets them. A document's length is the one that Lucene's byte for
it stands for; numbers are 32-bit floats where Lucene's are, and the clauses of a query are added in
64 bits. Documents of the same score come in the order of their numbers, which is that of their
ids.

Sources: Lucene's BM25Similarity and SmallFloat, Anserini's BagOfWordsQueryGenerator and
SimpleSearcher.
"""

from array import array
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training_sandbox_webshop.analysis import terms
from training_sandbox_webshop.records import Records, load_array, load_floats, write_records

K1 = np.float32(0.9)
B = np.float32(0.4)

_ONE = np.float32(1)
_EXACT_LENGTHS = 24
_MANTISSA_BITS = 3


class SearchIndex:
    """Finds documents by what is in them.

    Args:
        folder: Where `write_index` wrote.
    """

    def __init__(self, folder: Path) -> None:
        self._terms = Records(folder / "terms")
        self._starts = load_array(folder / "starts.npy")
        self._documents = load_array(folder / "documents.npy")
        self._frequencies = load_array(folder / "frequencies.npy")
        self._norms = load_floats(folder / "norms.npy")
        self._with_terms = int(np.count_nonzero(self._norms))

    def search(self, text: str, limit: int) -> list[int]:
        """The numbers of the documents that match best, the best one first.

        Args:
            text: Words; every one of them counts, and twice when it is there twice.
            limit: How many there are at most.
        """
        found: list[NDArray[np.int64]] = []
        scores: list[NDArray[np.float32]] = []
        for term, count in Counter(terms(text)).items():
            number = self._terms.find(term.encode(errors="replace"))
            if number is not None:
                postings = slice(int(self._starts[number]), int(self._starts[number + 1]))
                documents = self._documents[postings]
                found.append(documents)
                scores.append(self._scores(documents, self._frequencies[postings], count))
        if not found:
            return []
        totals = np.bincount(
            np.concatenate(found), weights=np.concatenate(scores, dtype=np.float64)
        ).astype(np.float32)
        return _best(totals, limit)

    def _scores(
        self, documents: NDArray[np.int64], frequencies: NDArray[np.int64], count: int
    ) -> NDArray[np.float32]:
        matching = len(documents)
        idf = np.log(1 + (self._with_terms - matching + 0.5) / (matching + 0.5))
        weight = np.float32(count) * np.float32(idf)
        norms = self._norms[documents]
        return weight - weight / (_ONE + frequencies.astype(np.float32) * norms)


def _best(totals: NDArray[np.float32], limit: int) -> list[int]:
    documents = np.flatnonzero(totals)
    if len(documents) > limit:
        least = np.partition(totals[documents], -limit)[-limit]
        documents = documents[totals[documents] >= least]
    order = np.lexsort((documents, -totals[documents]))
    return [int(document) for document in documents[order][:limit]]


def write_index(folder: Path, texts: Iterable[str]) -> None:
    """Index documents.

    Args:
        folder: Where the index goes; it is made.
        texts: The document of each number, from 0 on.
    """
    folder.mkdir()
    numbers: dict[str, int] = {}
    of_term, of_document, frequency, lengths = array("q"), array("q"), array("q"), array("q")
    for document, text in enumerate(texts):
        counts = Counter(terms(text))
        lengths.append(counts.total())
        for term, count in counts.items():
            of_term.append(numbers.setdefault(term, len(numbers)))
            of_document.append(document)
            frequency.append(count)
    names = sorted(numbers, key=lambda term: term.encode(errors="replace"))
    places = np.empty(len(names), dtype=np.int64)
    places[[numbers[name] for name in names]] = np.arange(len(names))
    sorted_terms = places[np.frombuffer(of_term, dtype=np.int64)]
    order = np.argsort(sorted_terms, kind="stable")
    starts = np.searchsorted(sorted_terms[order], np.arange(len(names) + 1))
    write_records(folder / "terms", (name.encode(errors="replace") for name in names))
    np.save(folder / "starts.npy", starts.astype(np.int64))
    np.save(folder / "documents.npy", np.frombuffer(of_document, dtype=np.int64)[order])
    np.save(folder / "frequencies.npy", np.frombuffer(frequency, dtype=np.int64)[order])
    np.save(folder / "norms.npy", _norms(np.frombuffer(lengths, dtype=np.int64)))


def _norms(lengths: NDArray[np.int64]) -> NDArray[np.float32]:
    """What a frequency is multiplied by in each document; 0 where there is no term."""
    with_terms = max(int(np.count_nonzero(lengths)), 1)
    average = np.float32(int(lengths.sum()) / with_terms) or _ONE
    kept = np.asarray([_as_one_byte(int(length)) for length in lengths], dtype=np.float32)
    norms = _ONE / (K1 * ((_ONE - B) + B * kept / average))
    return np.where(lengths > 0, norms, np.float32(0)).astype(np.float32)


def _as_one_byte(length: int) -> int:
    """The length that is left of a length in Lucene's one byte: four significant bits."""
    above = length - _EXACT_LENGTHS
    if above < 0:
        return length
    lost = max(above.bit_length() - 1 - _MANTISSA_BITS, 0)
    return _EXACT_LENGTHS + (above >> lost << lost)
