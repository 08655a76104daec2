"""Which writes go to the API server next: few at once, and the urgent ones first."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum


class Urgency(IntEnum):
    """What a write is for; its value is how many may be under way when one of these begins."""

    NEWS = 2
    """Events: nothing waits for them. After a while they are admitted as what comes next."""
    WARM_UP = 8
    """Warm pods that nobody waits for yet, and the status of pools."""
    START = 24
    """Pods that an instance waits for."""
    FIRST = 32
    """Claims, deletions, and what is told of instances."""


_PATIENCE_SECONDS = 5.0


class Admission:
    """Admits writes: the more urgent ones first, the equally urgent ones as they came.

    A write of little urgency begins only while there are few of any kind, so that an API server
    that is slow, or busy with claims, is left to what somebody waits for.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._under_way = 0
        self._held_until = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._waiting: dict[Urgency, deque[tuple[asyncio.Future[None], float]]] = {
            urgency: deque() for urgency in sorted(Urgency, reverse=True)
        }

    @asynccontextmanager
    async def enter(self, urgency: Urgency) -> AsyncGenerator[None]:
        """Wait for the turn of a write, and hold its place meanwhile."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[urgency].append((turn, self._clock()))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was admitted in the same moment
                self._leave()
            raise
        try:
            yield
        finally:
            self._leave()

    def hold(self, seconds: float) -> None:
        """Admit nothing for so long: the API server has asked for that."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    def _leave(self) -> None:
        self._under_way -= 1
        self._admit()

    def _admit(self) -> None:
        held_for = self._held_until - self._clock()
        if held_for > 0:
            if self._alarm is None:
                self._alarm = asyncio.get_running_loop().call_later(held_for, self._go_on)
            return
        self._hurry_old_news()
        for urgency, turns in self._waiting.items():
            while turns and self._under_way < urgency:
                turn, _ = turns.popleft()
                if not turn.cancelled():
                    self._under_way += 1
                    turn.set_result(None)
            if turns:
                return

    def _hurry_old_news(self) -> None:
        news, next_ones = self._waiting[Urgency.NEWS], self._waiting[Urgency.WARM_UP]
        while news and self._clock() - news[0][1] >= _PATIENCE_SECONDS:
            next_ones.append(news.popleft())

    def _go_on(self) -> None:
        self._alarm = None
        self._admit()
