"""From text to the terms that are searched: what Lucene does for pyserini's English index.

Words are those of the Unicode standard's annex 29, as Lucene's StandardTokenizer finds them. They
lose a possessive 's and their capitals, stop words go, and the rest is stemmed by Porter's own
version of his algorithm, which Lucene follows too.

Source: Anserini's DefaultEnglishAnalyzer.
"""

from typing import Any

import regex

from training_sandbox_webshop.stemmer import stem

_STOP_WORDS = """
a an and are as at be but by for if in into is it no not of on or such that the their then there
these they this to was will with
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Lucene's EnglishAnalyzer.ENGLISH_STOP_WORDS_SET."""

_POSSESSIVES = tuple(mark + letter for mark in "'\u2019\uff07" for letter in "sS")

_BOUNDARY: Any = regex.compile(r"(?V1w)\b")
_IN_WORDS: Any = regex.compile(r"[\p{Alphabetic}\p{Nd}]")


def terms(text: str) -> list[str]:
    """The terms of a text, in order, each as often as it is in there."""
    found: list[str] = []
    for word in _BOUNDARY.split(text):
        if _IN_WORDS.search(word):
            kept = (word[:-2] if word.endswith(_POSSESSIVES) else word).lower()
            if kept not in STOP_WORDS:
                found.append(stem(kept))
    return found
