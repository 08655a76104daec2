"""The queue of keys that are to be reconciled."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from datetime import timedelta
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

_FIRST_BACKOFF = timedelta(milliseconds=100)
_LONGEST_BACKOFF = timedelta(seconds=60)


class WorkQueue(Generic[KeyT]):
    """A queue of distinct keys for any number of workers of one event loop.

    - A key that waits is not added again: many events make one reconciliation.
    - A key is never given to two workers: one that is added while it is processed waits until that
      is done, and is then given out again, so that nothing that happened meanwhile is missed.
    - What is urgent comes first; of what is equally urgent the groups come in turns, and in a group
      the keys as they were added.

    Args:
        group_of: returns what a key's group is named by, for example its namespace.
    """

    def __init__(self, group_of: Callable[[KeyT], Hashable] = lambda _: None) -> None:
        self._group_of = group_of
        self._urgent: OrderedDict[Hashable, deque[KeyT]] = OrderedDict()
        self._normal: OrderedDict[Hashable, deque[KeyT]] = OrderedDict()
        # Whether each key that waits, or waits to wait, is urgent.
        self._wanted: dict[KeyT, bool] = {}
        self._waiting: set[KeyT] = set()
        # Since when each of them is wanted, the first first.
        self._since: dict[KeyT, float] = {}
        self._processing: set[KeyT] = set()
        self._failures: dict[KeyT, int] = {}
        self._not_empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def oldest_seconds(self) -> float:
        """Return how long the key is wanted that is wanted for longest; 0 when none is."""
        return time.monotonic() - next(iter(self._since.values())) if self._since else 0.0

    def add(self, key: KeyT) -> None:
        """Have the key reconciled, soon."""
        if key not in self._wanted:
            self._want(key, urgent=False)

    def add_urgent(self, key: KeyT) -> None:
        """Have the key reconciled before those that are not urgent."""
        if not self._wanted.get(key, False):
            self._want(key, urgent=True)

    async def get(self) -> KeyT:
        """Wait for a key and take it; ``done`` must follow."""
        while not self._waiting:
            self._not_empty.clear()
            await self._not_empty.wait()
        while True:
            key = _take(self._urgent or self._normal)
            # One that became urgent while it waited is in both.
            if key in self._waiting:
                break
        self._waiting.discard(key)
        del self._wanted[key], self._since[key]
        self._processing.add(key)
        return key

    def done(self, key: KeyT) -> None:
        """Say that the processing of a key is over, however it ended."""
        self._processing.discard(key)
        if key in self._wanted:
            self._enqueue(key)

    def fail(self, key: KeyT) -> timedelta:
        """Count a failure and return how long to wait: 0.1 s, 0.2 s, 0.4 s …, 60 s."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return min(_FIRST_BACKOFF * 2 ** min(failures, 16), _LONGEST_BACKOFF)

    def succeed(self, key: KeyT) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)

    def _want(self, key: KeyT, *, urgent: bool) -> None:
        self._wanted[key] = urgent
        self._since.setdefault(key, time.monotonic())
        if key not in self._processing:
            self._enqueue(key)

    def _enqueue(self, key: KeyT) -> None:
        groups = self._urgent if self._wanted[key] else self._normal
        groups.setdefault(self._group_of(key), deque()).append(key)
        self._waiting.add(key)
        self._not_empty.set()


def _take(groups: OrderedDict[Hashable, deque[KeyT]]) -> KeyT:
    """Take the first key of the first group, and let the other groups come first then."""
    group, keys = next(iter(groups.items()))
    key = keys.popleft()
    if keys:
        groups.move_to_end(group)
    else:
        del groups[group]
    return key
