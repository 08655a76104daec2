"""When the episodes were last in use."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Generator


class Activity:
    """Counts calls in flight and remembers when the last one ended.

    Args:
        clock: Seconds; only differences matter.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._in_flight = 0
        self._idle_since = clock()
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.contextmanager
    def call(self) -> Generator[None]:
        """A call, from its beginning to its end."""
        self._in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            self._idle_since = self._clock()
            if not self._in_flight:
                self._idle.set()

    async def wait_until_idle(self) -> None:
        """Return when no call is in flight."""
        await self._idle.wait()

    def reset(self) -> None:
        """Count idleness from now."""
        self._idle_since = self._clock()

    @property
    def in_flight(self) -> int:
        """The number of calls that have begun and not ended."""
        return self._in_flight

    @property
    def idle_seconds(self) -> float:
        """Since the last call ended; 0.0 while one is in flight."""
        return 0.0 if self._in_flight else max(0.0, self._clock() - self._idle_since)
