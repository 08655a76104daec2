"""AppWorld's safety guard, without what makes it slow.

It looks in code for imports and for calls of certain functions, and parses it three times for that,
which takes longer than most steps. Code that has none of their names in it as a word cannot import
or call them.
"""

import re
from functools import cache
from typing import Any

from training_sandbox_appworld import library

_WORD = re.compile(r"\w+")


def speed_up() -> None:
    """Check words first, and find each module once, in all worlds of this process."""
    guard = library.module("common.safety_guard").SafetyGuard
    parse = guard.is_syntax_safe

    def is_syntax_safe(self: Any, code: str) -> tuple[bool, str]:
        if _suspicious().isdisjoint(_WORD.findall(code)):
            return True, ""
        return parse(self, code)

    guard.is_syntax_safe = is_syntax_safe
    guard.module_by_path = staticmethod(cache(guard.module_by_path))


@cache
def _suspicious() -> frozenset[str]:
    paths: set[str] = library.module("common.safety_guard").DISALLOWED_FUNCTION_PATHS
    return frozenset({"import", *(path.rpartition(".")[2] for path in paths)})
