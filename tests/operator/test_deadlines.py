"""The heap of deadlines."""

import asyncio
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operator.builders import after
from training_sandbox_operator.control.deadlines import Deadlines

changes = st.lists(
    st.tuples(st.sampled_from("abcde"), st.none() | st.integers(0, 20)), max_size=300
)


@given(changes, st.integers(0, 20))
def test_exactly_the_keys_whose_deadline_has_come_are_due_the_earliest_first(
    made: list[tuple[str, int | None]], now: int
) -> None:
    deadlines: Deadlines[str] = Deadlines()
    expected: dict[str, int] = {}
    for key, seconds in made:
        deadlines.set(key, None if seconds is None else after(seconds))
        expected.pop(key, None)
        if seconds is not None:
            expected[key] = seconds
    due = deadlines.pop_due(after(now))
    assert set(due) == {key for key, seconds in expected.items() if seconds <= now}
    assert [expected[key] for key in due] == sorted(expected[key] for key in due)
    later = [seconds for seconds in expected.values() if seconds > now]
    assert deadlines.next() == (after(min(later)) if later else None)
    assert len(deadlines) == len(later)


def test_replaced_deadlines_do_not_pile_up() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for seconds in range(10_000):
        deadlines.set("a", after(seconds))
    assert len(deadlines._heap) < 200


async def test_the_sleeper_wakes_for_a_deadline_that_is_set_while_it_sleeps() -> None:
    deadlines: Deadlines[str] = Deadlines()
    due: asyncio.Queue[str] = asyncio.Queue()
    deadlines.set("late", after(1000))
    sleeper = asyncio.create_task(deadlines.run(due.put_nowait, lambda: after(10)))
    await asyncio.sleep(0)
    deadlines.set("early", after(5))
    assert await asyncio.wait_for(due.get(), 10) == "early"
    assert due.empty()
    sleeper.cancel()


@pytest.mark.parametrize("moment", [after(0), after(10)])
async def test_a_deadline_that_has_come_already_is_due_at_once(moment: datetime) -> None:
    deadlines: Deadlines[str] = Deadlines()
    due: asyncio.Queue[str] = asyncio.Queue()
    deadlines.set("a", moment)
    sleeper = asyncio.create_task(deadlines.run(due.put_nowait, lambda: after(10)))
    assert await asyncio.wait_for(due.get(), 10) == "a"
    sleeper.cancel()
