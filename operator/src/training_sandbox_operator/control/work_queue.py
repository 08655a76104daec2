"""The queue of keys that are to be reconciled."""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from datetime import timedelta
from enum import IntEnum
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

_FIRST_BACKOFF = timedelta(milliseconds=100)
_LONGEST_BACKOFF = timedelta(seconds=60)

_Lane = OrderedDict[Hashable, deque[KeyT]]
"""Keys by their groups, the group whose turn it is first."""


class _Rank(IntEnum):
    """What comes first has the smallest."""

    URGENT = 0
    USUAL = 1
    START = 2


_UNWANTED = len(_Rank)
_OTHERS_A_START = 16
_START_LAST = (_Rank.URGENT, _Rank.USUAL, _Rank.START)
_START_FIRST = (_Rank.START, _Rank.URGENT, _Rank.USUAL)


class WorkQueue(Generic[KeyT]):
    """A queue of distinct keys for any number of workers of one event loop.

    - A key that waits is not added again: many events make one reconciliation.
    - A key is never given to two workers: one that is added while it is processed waits until that
      is done, and is then given out again, so that nothing that happened meanwhile is missed.
    - What is urgent comes first and starts come last, but one after so many others; of what is
      equally urgent the groups come in turns, and in a group the keys as they were added.
    - Few starts are given out at once: however many wait, and however long each takes, they leave
      workers to what has started. A key for which nothing was begun is a start, however urgent.

    Args:
        group_of: returns what a key's group is named by, for example its namespace.
        is_start: returns whether nothing was begun for a key yet.
        starts_at_once: returns how many starts may be processed at the same time now.
    """

    def __init__(
        self,
        group_of: Callable[[KeyT], Hashable] = lambda _: None,
        *,
        is_start: Callable[[KeyT], bool] = lambda _: False,
        starts_at_once: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._group_of = group_of
        self._is_start = is_start
        self._starts_at_once = starts_at_once
        self._lanes: dict[_Rank, _Lane[KeyT]] = {rank: OrderedDict() for rank in _Rank}
        # The rank of each key that waits, or waits to wait.
        self._wanted: dict[KeyT, _Rank] = {}
        self._waiting: set[KeyT] = set()
        # Since when each of them is wanted, the first first.
        self._since: dict[KeyT, float] = {}
        self._processing: dict[KeyT, _Rank] = {}
        self._starting = 0
        self._others_since_start = 0
        self._failures: dict[KeyT, int] = {}
        self._idle_workers: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def oldest_seconds(self) -> float:
        """Return how long the key is wanted that is wanted for longest; 0 when none is."""
        return time.monotonic() - next(iter(self._since.values())) if self._since else 0.0

    def add(self, key: KeyT) -> None:
        """Have the key reconciled, soon, or when its turn to start comes."""
        self._want(key, _Rank.USUAL)

    def add_urgent(self, key: KeyT) -> None:
        """Have the key reconciled before those that are not urgent, unless it is to be started."""
        self._want(key, _Rank.URGENT)

    async def get(self) -> KeyT:
        """Wait for a key and take it; ``done`` must follow."""
        while (key := self._take()) is None:
            idle: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle_workers.append(idle)
            try:
                await idle
            except asyncio.CancelledError:
                if not idle.cancelled():  # it was woken in the same moment
                    self._wake_one()
                raise
        return key

    def done(self, key: KeyT) -> None:
        """Say that the processing of a key is over, however it ended."""
        if self._processing.pop(key) is _Rank.START:
            self._starting -= 1
            self._wake_one()
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

    def _want(self, key: KeyT, rank: _Rank) -> None:
        wanted = self._wanted.get(key, _UNWANTED)
        if wanted > rank and self._is_start(key):
            rank = _Rank.START
        if wanted <= rank:
            return
        self._wanted[key] = rank
        self._since.setdefault(key, time.monotonic())
        if key not in self._processing:
            self._enqueue(key)

    def _enqueue(self, key: KeyT) -> None:
        lane = self._lanes[self._wanted[key]]
        lane.setdefault(self._group_of(key), deque()).append(key)
        self._waiting.add(key)
        self._wake_one()

    def _wake_one(self) -> None:
        while self._idle_workers:
            idle = self._idle_workers.popleft()
            if not idle.done():
                idle.set_result(None)
                return

    def _take(self) -> KeyT | None:
        """Take a key that may be processed now; None when there is none."""
        is_turn_of_start = self._others_since_start >= _OTHERS_A_START
        for rank in _START_FIRST if is_turn_of_start else _START_LAST:
            if rank is _Rank.START and self._starting >= self._starts_at_once():
                continue
            if (key := self._take_from(rank)) is not None:
                self._give_out(key, rank)
                return key
        return None

    def _take_from(self, rank: _Rank) -> KeyT | None:
        """Take the first key of the first group, and let the other groups come first then."""
        lane = self._lanes[rank]
        while lane:
            group, keys = next(iter(lane.items()))
            # One that has become more urgent while it waited is in two lanes: that is no turn.
            while keys and not self._waits(keys[0], rank):
                keys.popleft()
            key = keys.popleft() if keys else None
            if keys:
                lane.move_to_end(group)
            else:
                del lane[group]
            if key is not None:
                return key
        return None

    def _waits(self, key: KeyT, rank: _Rank) -> bool:
        return key in self._waiting and self._wanted[key] is rank

    def _give_out(self, key: KeyT, rank: _Rank) -> None:
        self._waiting.discard(key)
        del self._wanted[key], self._since[key]
        self._processing[key] = rank
        self._starting += rank is _Rank.START
        self._others_since_start = 0 if rank is _Rank.START else self._others_since_start + 1
