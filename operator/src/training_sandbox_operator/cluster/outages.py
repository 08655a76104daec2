"""Noticing that the API server answers again after it was away."""

import asyncio
import time
from collections.abc import Callable

_LEAST_SECONDS = 5.0


class Outages:
    """Tells of the end of every time in which requests failed and none was answered.

    A request that fails while others are answered is no outage, and neither is a short one: whoever
    waits for the next attempt waits no longer than that anyway.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answered_at = clock()
        self._has_failed = False
        self._is_over = asyncio.Event()

    def answered(self) -> None:
        """Take in that a request was answered."""
        now = self._clock()
        if self._has_failed and now - self._answered_at > _LEAST_SECONDS:
            self._is_over.set()
        self._answered_at = now
        self._has_failed = False

    def failed(self) -> None:
        """Take in that a request was not answered, or that the server could not do it."""
        self._has_failed = True

    async def until_over(self) -> None:
        """Wait for the end of the next outage, or the last one if nobody has waited for it."""
        await self._is_over.wait()
        self._is_over.clear()
