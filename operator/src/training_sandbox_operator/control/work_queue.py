"""The queue of keys that are to be reconciled."""

import asyncio
from collections import deque
from collections.abc import Hashable
from datetime import timedelta
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

_FIRST_BACKOFF = timedelta(milliseconds=100)
_LONGEST_BACKOFF = timedelta(seconds=60)


class WorkQueue(Generic[KeyT]):
    """A first-in-first-out queue of distinct keys for any number of workers of one event loop.

    - A key that waits is not added again: many events make one reconciliation.
    - A key is never given to two workers: one that is added while it is processed waits until that
      is done, and is then given out again, so that nothing that happened meanwhile is missed.
    """

    def __init__(self) -> None:
        self._waiting: deque[KeyT] = deque()
        self._wanted: set[KeyT] = set()
        self._processing: set[KeyT] = set()
        self._failures: dict[KeyT, int] = {}
        self._not_empty = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: KeyT) -> None:
        """Have the key reconciled, soon."""
        if key in self._wanted:
            return
        self._wanted.add(key)
        if key not in self._processing:
            self._enqueue(key)

    async def get(self) -> KeyT:
        """Wait for a key and take it; ``done`` must follow."""
        while not self._waiting:
            self._not_empty.clear()
            await self._not_empty.wait()
        key = self._waiting.popleft()
        self._wanted.discard(key)
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

    def _enqueue(self, key: KeyT) -> None:
        self._waiting.append(key)
        self._not_empty.set()
