"""Places for what may take long: so many at once, and some are kept for those that hold none."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager


class Places:
    """A number of places that groups share, for example namespaces.

    A group gets one more while it holds fewer than are free: half of them when it is alone, about
    a third each when there are two. So whoever comes late finds one, however long the others keep
    theirs; where many groups have come one after the other and none is left, it gets the next. Of
    those that wait the groups come in turns, and in a group the first first.

    Args:
        count: how many there are.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._held: Counter[Hashable] = Counter()
        self._waiting: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def take(self, group: Hashable) -> AsyncGenerator[None]:
        """Wait for a place, and hold it meanwhile."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(group, deque()).append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was admitted in the same moment
                self._leave(group)
            raise
        try:
            yield
        finally:
            self._leave(group)

    def _leave(self, group: Hashable) -> None:
        self._free += 1
        self._held[group] -= 1
        if not self._held[group]:
            del self._held[group]
        self._admit()

    def _admit(self) -> None:
        while (group := self._next_group()) is not None:
            turns = self._waiting[group]
            turn = turns.popleft()
            if turns:
                self._waiting.move_to_end(group)
            else:
                del self._waiting[group]
            if not turn.cancelled():
                self._free -= 1
                self._held[group] += 1
                turn.set_result(None)

    def _next_group(self) -> Hashable | None:
        return next((group for group in self._waiting if self._held[group] < self._free), None)
