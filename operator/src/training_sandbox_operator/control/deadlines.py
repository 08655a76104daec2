"""All deadlines of all instances: one heap, one sleeper."""

import asyncio
import contextlib
import heapq
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

# The clock of the wall may be set: never trust a longer sleep.
_LONGEST_SLEEP_SECONDS = 30.0
_ROOM_FOR_STALE_ENTRIES = 64


class Deadlines(Generic[KeyT]):
    """At most one deadline a key; the earliest is found at once.

    Entries that were replaced stay in the heap until they surface or outnumber the valid ones.

    Args:
        on_late: told of every deadline that comes, by how many seconds it is late.
    """

    def __init__(self, on_late: Callable[[float], None] = lambda _: None) -> None:
        self._on_late = on_late
        self._heap: list[tuple[datetime, int, KeyT]] = []
        self._valid: dict[KeyT, tuple[datetime, int]] = {}
        self._serial = 0
        self._earlier = asyncio.Event()

    def __len__(self) -> int:
        return len(self._valid)

    def set(self, key: KeyT, moment: datetime | None) -> None:
        """Replace the deadline of a key; None removes it."""
        if moment is None:
            self._valid.pop(key, None)
            return
        if key in self._valid and self._valid[key][0] == moment:
            return
        next_moment = self.next()
        self._serial += 1
        self._valid[key] = (moment, self._serial)
        heapq.heappush(self._heap, (moment, self._serial, key))
        if len(self._heap) > 2 * len(self._valid) + _ROOM_FOR_STALE_ENTRIES:
            self._heap = [(when, serial, name) for name, (when, serial) in self._valid.items()]
            heapq.heapify(self._heap)
        if next_moment is None or moment < next_moment:
            self._earlier.set()

    def next(self) -> datetime | None:
        """Return the earliest deadline."""
        while self._heap:
            moment, serial, key = self._heap[0]
            if self._valid.get(key) == (moment, serial):
                return moment
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now: datetime) -> list[KeyT]:
        """Remove and return the keys whose deadline has come, the earliest first."""
        due: list[KeyT] = []
        while (moment := self.next()) is not None and moment <= now:
            _, _, key = heapq.heappop(self._heap)
            del self._valid[key]
            due.append(key)
            self._on_late((now - moment).total_seconds())
        return due

    async def run(self, on_due: Callable[[KeyT], None], clock: Callable[[], datetime]) -> None:
        """Call ``on_due`` with every key whose deadline comes, for ever."""
        while True:
            for key in self.pop_due(clock()):
                on_due(key)
            self._earlier.clear()
            moment = self.next()
            pause = _LONGEST_SLEEP_SECONDS
            if moment is not None:
                pause = min(max((moment - clock()).total_seconds(), 0.0), pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._earlier.wait()
