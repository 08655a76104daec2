"""Drawing some things more often than others."""

from typing import Any

from hypothesis import strategies as st


def rarely(draw: st.DrawFn, one_in: int = 10) -> bool:
    """Draw whether something happens that does so once in so many times."""
    return draw(st.integers(1, one_in)) == one_in


def weighed(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw from one of the strategies, the oftener the oftener it is named.

    ``st.one_of`` takes a strategy that it is given twice for one.
    """
    return st.integers(0, len(strategies) - 1).flatmap(strategies.__getitem__)
