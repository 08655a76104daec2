import asyncio

import pytest

from training_sandbox_server.activity import Activity


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_idleness_counts_from_the_start(clock):
    activity = Activity(clock)
    clock.now += 5
    assert activity.idle_seconds == 5


def test_nothing_is_idle_while_a_call_is_in_flight(clock):
    activity = Activity(clock)
    with activity.call(), activity.call():
        clock.now += 5
        assert (activity.idle_seconds, activity.in_flight) == (0.0, 2)


def test_idleness_counts_from_the_end_of_the_last_call(clock):
    activity = Activity(clock)
    with activity.call():
        clock.now += 5
        with pytest.raises(RuntimeError), activity.call():
            raise RuntimeError("a call that fails ends too")
        clock.now += 5
    clock.now += 2
    assert activity.idle_seconds == 2


async def test_one_can_wait_until_no_call_is_in_flight(clock):
    activity = Activity(clock)
    await activity.wait_until_idle()
    with activity.call():
        waiting = asyncio.create_task(activity.wait_until_idle())
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting
