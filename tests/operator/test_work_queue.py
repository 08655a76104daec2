"""The queue: nothing is lost, nothing is done twice at once."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from training_sandbox_operator.control.work_queue import WorkQueue
from training_sandbox_operator.model.names import Key

keys = st.sampled_from("abcdxyz")
STARTS = set("xyz")
STARTS_AT_ONCE = 2


class WorkQueueMachine(RuleBasedStateMachine):
    """The queue against a model: which keys are owed a processing, and which are in one."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: WorkQueue[str] = WorkQueue(
            is_start=lambda key: key in STARTS, starts_at_once=lambda: STARTS_AT_ONCE
        )
        self.owed: set[str] = set()
        self.urgent: set[str] = set()
        self.processing: set[str] = set()
        self.starting: set[str] = set()

    @property
    def waiting(self) -> set[str]:
        return self.owed - self.processing

    @property
    def available(self) -> set[str]:
        if len(self.starting) < STARTS_AT_ONCE:
            return self.waiting
        return self.waiting - STARTS

    @rule(key=keys)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self.owed.add(key)

    @rule(key=keys)
    def add_urgent(self, key: str) -> None:
        self.queue.add_urgent(key)
        self.owed.add(key)
        self.urgent.update({key} - STARTS)

    @precondition(lambda self: self.available)
    @rule()
    def get(self) -> None:
        key = asyncio.run(asyncio.wait_for(self.queue.get(), 5))
        assert key in self.available
        assert key in self.urgent or not self.urgent & self.waiting, "what is urgent comes first"
        assert key not in STARTS or not self.waiting - STARTS, "starts come last"
        if key in STARTS:
            self.starting.add(key)
        self.owed.discard(key)
        self.urgent.discard(key)
        self.processing.add(key)

    @precondition(lambda self: self.processing)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.processing)))
        self.queue.done(key)
        self.processing.discard(key)
        self.starting.discard(key)

    @invariant()
    def every_key_waits_once(self) -> None:
        assert len(self.queue) == len(self.waiting)


TestWorkQueue = WorkQueueMachine.TestCase
TestWorkQueue.settings = settings(max_examples=50, stateful_step_count=30)


@pytest.fixture
def queue() -> WorkQueue[str]:
    return WorkQueue()


async def test_keys_come_out_in_the_order_they_went_in(queue: WorkQueue[str]) -> None:
    for key in "bab":
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["b", "a"]


async def test_a_worker_waits_for_a_key(queue: WorkQueue[str]) -> None:
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not worker.done()
    queue.add("a")
    assert await worker == "a"


async def test_every_waiting_worker_gets_a_key(queue: WorkQueue[str]) -> None:
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for key in "abc":
        queue.add(key)
    assert sorted(await asyncio.gather(*workers)) == ["a", "b", "c"]


async def test_a_key_that_is_added_while_it_is_processed_comes_out_again(
    queue: WorkQueue[str],
) -> None:
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done(key)
    assert await queue.get() == "a"


async def test_a_start_waits_until_another_is_over_and_holds_nothing_else_up() -> None:
    queue: WorkQueue[str] = WorkQueue(is_start=lambda key: key in STARTS, starts_at_once=lambda: 1)
    for key in "xya":
        queue.add(key)
    assert [await queue.get(), await queue.get()] == ["a", "x"]
    second = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not second.done()
    queue.done("a")
    assert not second.done()
    queue.done("x")
    assert await second == "y"


async def test_a_start_does_not_wait_for_ever_for_all_others() -> None:
    queue: WorkQueue[str] = WorkQueue(is_start=lambda key: key in STARTS)
    for key in ("x", *map(str, range(100))):
        queue.add(key)
    assert "x" in [await queue.get() for _ in range(20)]


async def test_what_was_begun_while_it_waited_to_start_does_not_wait_any_more() -> None:
    starts = {"x"}
    queue: WorkQueue[str] = WorkQueue(is_start=lambda key: key in starts, starts_at_once=lambda: 0)
    queue.add("x")
    starts.clear()
    queue.add("x")
    assert await queue.get() == "x"
    queue.done("x")


async def test_a_start_is_one_however_it_was_added_before() -> None:
    starts: set[str] = set()
    queue: WorkQueue[str] = WorkQueue(is_start=lambda key: key in starts, starts_at_once=lambda: 1)
    queue.add("x")
    queue.add_urgent("x")
    assert await queue.get() == "x"
    queue.done("x")
    starts |= {"x", "y"}
    for key in "yx":
        queue.add_urgent(key)
    assert await queue.get() == "y"
    third = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not third.done()
    third.cancel()


async def test_a_worker_that_is_cancelled_as_it_is_woken_wakes_another(
    queue: WorkQueue[str],
) -> None:
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await second == "a"


def test_the_pause_after_failures_doubles_up_to_a_minute(queue: WorkQueue[str]) -> None:
    pauses = [queue.fail("a").total_seconds() for _ in range(12)]
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert pauses[-3:] == [51.2, 60, 60]


def test_a_success_makes_the_pause_short_again(queue: WorkQueue[str]) -> None:
    queue.fail("a")
    queue.fail("a")
    queue.succeed("a")
    assert queue.fail("a").total_seconds() == 0.1


def test_failures_are_counted_by_key(queue: WorkQueue[str]) -> None:
    queue.fail("a")
    assert queue.fail("b").total_seconds() == 0.1


async def test_what_has_become_urgent_takes_no_turn_of_its_namespace() -> None:
    queue: WorkQueue[Key] = WorkQueue(lambda key: key.namespace)
    for number in range(10):
        queue.add(Key("other", str(number)))
        queue.add(Key("ours", f"urgent-{number}"))
        queue.add_urgent(Key("ours", f"urgent-{number}"))
    queue.add(Key("ours", "usual"))
    assert {(await queue.get()).name.split("-")[0] for _ in range(10)} == {"urgent"}
    assert Key("ours", "usual") in [await queue.get() for _ in range(2)]


@pytest.mark.parametrize("add", [WorkQueue.add, WorkQueue.add_urgent])
async def test_a_namespace_with_thousands_of_keys_does_not_starve_one_with_one(
    add: Callable[[WorkQueue[Key], Key], None],
) -> None:
    queue: WorkQueue[Key] = WorkQueue(lambda key: key.namespace)
    for number in range(5_000):
        add(queue, Key("large", str(number)))
    add(queue, Key("small", "only"))
    assert {(await queue.get()).namespace for _ in range(2)} == {"large", "small"}
