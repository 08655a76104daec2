"""Admission: few writes at once, and what somebody waits for before what nobody does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_sandbox_operator.cluster.admission import Admission, Urgency

FIRST, START, WARM_UP = Urgency.FIRST, Urgency.START, Urgency.WARM_UP


class Writes:
    """Writes that go on until they are ended; ``begun`` are those that were admitted, in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self.admission = Admission(lambda: self.now)
        self.begun: list[Urgency] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._ends: list[asyncio.Event] = []

    async def want(self, *urgencies: Urgency) -> None:
        for urgency in urgencies:
            self._tasks.append(asyncio.create_task(self._write(urgency)))
            await asyncio.sleep(0)
        await rest()

    async def end_one(self) -> None:
        self._ends.pop(0).set()
        await rest()

    async def give_up(self, number: int) -> None:
        self._tasks[number].cancel()
        await rest()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(self, urgency: Urgency) -> None:
        async with self.admission.enter(urgency):
            self.begun.append(urgency)
            end = asyncio.Event()
            self._ends.append(end)
            await end.wait()


async def rest() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_news_that_have_waited_for_long_do_not_wait_until_nothing_else_is_written(
    writes: Writes,
) -> None:
    await writes.want(FIRST, FIRST, FIRST, Urgency.NEWS)
    writes.now = 4.9
    await writes.want(FIRST)
    assert Urgency.NEWS not in writes.begun
    writes.now = 5.0
    await writes.want(FIRST)
    assert Urgency.NEWS in writes.begun


async def test_old_news_take_their_turn_among_warm_ups(writes: Writes) -> None:
    await writes.want(Urgency.NEWS, *[WARM_UP] * WARM_UP, Urgency.NEWS)
    writes.now = 5.0
    await writes.want(*[WARM_UP] * 20)
    for _ in range(3):
        await writes.end_one()
    assert writes.begun.count(Urgency.NEWS) == 2


@pytest.fixture
async def writes() -> AsyncIterator[Writes]:
    writes = Writes()
    yield writes
    await writes.close()


async def test_warm_ups_begin_only_while_few_writes_are_under_way(writes: Writes) -> None:
    await writes.want(*[FIRST] * WARM_UP, WARM_UP)
    assert WARM_UP not in writes.begun
    await writes.end_one()
    assert writes.begun[-1] is WARM_UP


async def test_what_is_urgent_does_not_wait_for_warm_ups(writes: Writes) -> None:
    await writes.want(*[WARM_UP] * 100, START, FIRST)
    assert writes.begun == [*[WARM_UP] * WARM_UP, START, FIRST]


async def test_what_is_more_urgent_begins_first(writes: Writes) -> None:
    await writes.want(*[FIRST] * FIRST)
    await writes.want(WARM_UP, START, FIRST)
    for _ in range(FIRST + 3):
        if len(writes.begun) < FIRST + 3:
            await writes.end_one()
    assert writes.begun[FIRST:] == [FIRST, START, WARM_UP]


async def test_a_write_that_was_given_up_takes_nobodys_place(writes: Writes) -> None:
    await writes.want(*[WARM_UP] * (WARM_UP + 2))
    await writes.give_up(WARM_UP)
    await writes.give_up(0)
    assert len(writes.begun) == WARM_UP + 1


async def test_nothing_begins_for_as_long_as_the_api_server_asks(writes: Writes) -> None:
    writes.admission.hold(0.01)
    await writes.want(FIRST)
    assert not writes.begun
    writes.now = 1.0
    await asyncio.sleep(0.05)
    assert writes.begun == [FIRST]


@given(st.lists(st.sampled_from([*Urgency, None]), max_size=120))
def test_none_waits_while_it_may_begin_and_none_begins_beyond_its_limit(
    steps: list[Urgency | None],
) -> None:
    async def play() -> None:
        under_way, waiting = 0, []
        async with AsyncExitStack() as stack:
            writes = Writes()
            stack.push_async_callback(writes.close)
            for step in steps:
                before = len(writes.begun)
                if step is not None:
                    waiting.append(step)
                    await writes.want(step)
                elif under_way:
                    under_way -= 1
                    await writes.end_one()
                for urgency in writes.begun[before:]:
                    assert urgency is max(waiting)
                    assert under_way < urgency
                    waiting.remove(urgency)
                    under_way += 1
                assert not waiting or under_way >= max(waiting)

    asyncio.run(play())
