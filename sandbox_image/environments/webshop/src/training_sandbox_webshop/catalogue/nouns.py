"""The nouns of titles, which the reward compares: found once, when a catalogue is made.

WebShop uses spaCy and its model en_core_web_sm. Where that is not installed, TextBlob's pattern
tagger takes its place; it comes with its lexicon and needs no download. As with spaCy, the words of
a title in capitals are proper nouns for it, as a rule.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Tagger = Callable[[Iterable[str]], Iterator[list[str]]]
"""From titles to the nouns of each, in small letters and in order."""

_OF_SPACY = ("NOUN", "PROPN")
_OF_TEXTBLOB = ("NN", "NNS", "NNP", "NNPS")


class TaggerMissing(RuntimeError):  # noqa: N818 (reads better where it is caught)
    """The tagger, or its model, is not installed."""


def tagger(spacy_model: str | None) -> Tagger:
    """A tagger.

    Args:
        spacy_model: The name of an installed model of spaCy's; None: TextBlob's tagger.

    Raises:
        TaggerMissing: spaCy or the model is not installed.
    """
    return _with_textblob if spacy_model is None else _with_spacy(spacy_model)


def _with_textblob(titles: Iterable[str]) -> Iterator[list[str]]:
    taggers: Any = importlib.import_module("textblob.en.taggers")
    pattern = taggers.PatternTagger()
    for title in titles:
        tagged = pattern.tag(title, tokenize=True)
        yield [str(word).lower() for word, tag in tagged if tag in _OF_TEXTBLOB]


def _with_spacy(model: str) -> Tagger:
    try:
        spacy: Any = importlib.import_module("spacy")
        pipeline = spacy.load(model)
    except (ImportError, OSError) as error:
        raise TaggerMissing(f"spaCy or its model {model!r} is not installed: {error}") from error

    def find(titles: Iterable[str]) -> Iterator[list[str]]:
        for parsed in pipeline.pipe(titles):
            yield [str(word.text).lower() for word in parsed if word.pos_ in _OF_SPACY]

    return find
