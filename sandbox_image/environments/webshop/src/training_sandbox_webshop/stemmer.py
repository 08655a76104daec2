"""Porter's stemmer of English, in its author's own version, as NLTK has it.

NLTK's packages import all of NLTK, which would double the zygote's memory and the time of every
fork. So its one module is imported without them.
"""

import sys
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from typing import Any

_PACKAGES = ("nltk", "nltk.stem")
_KEPT = 65536


def _load() -> Any:
    if "nltk" in sys.modules:
        return import_module("nltk.stem.porter")
    try:
        for name in _PACKAGES:
            spec = find_spec(name)
            if spec is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            sys.modules[name] = module_from_spec(spec)
        return import_module("nltk.stem.porter")
    finally:
        for name in [one for one in sys.modules if one.partition(".")[0] == "nltk"]:
            del sys.modules[name]


_STEMMER: Any = _load().PorterStemmer(mode="MARTIN_EXTENSIONS")


@lru_cache(_KEPT)
def stem(word: str) -> str:
    """The stem of a word in small letters."""
    return str(_STEMMER.stem(word, to_lowercase=False))
