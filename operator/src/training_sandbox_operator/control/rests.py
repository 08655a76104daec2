"""The pauses that the API server asks for, which no event cuts short."""

from collections.abc import Hashable
from datetime import datetime
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)


class Rests(Generic[KeyT]):
    """Until when keys are left alone.

    A key that only waits for a retry is looked at as soon as something happens to it: then another
    attempt may be worth it. One whose request was answered with Retry-After rests.
    """

    def __init__(self) -> None:
        self._ends: dict[KeyT, datetime] = {}

    def begin(self, key: KeyT, end: datetime) -> None:
        """Leave a key alone until then."""
        self._ends[key] = end

    def end_of(self, key: KeyT, now: datetime) -> datetime | None:
        """Return until when a key is left alone, None when it is not, or not any more."""
        end = self._ends.get(key)
        if end is not None and now >= end:
            del self._ends[key]
            return None
        return end
