"""Outages: what failed while the API server was away is done as soon as it is back."""

import asyncio

import pytest

from tests.operator.conftest import Clock, Loop, Seconds
from tests.operator.fake_cluster import FakeCluster
from training_sandbox_operator.cluster.outages import Outages


@pytest.fixture
def outages(seconds: Seconds) -> Outages:
    return Outages(seconds)


async def is_over(outages: Outages) -> bool:
    try:
        async with asyncio.timeout(0.01):
            await outages.until_over()
    except TimeoutError:
        return False
    return True


async def test_an_outage_is_over_with_the_first_answer(outages: Outages, seconds: Seconds) -> None:
    outages.failed()
    seconds.now = 20
    outages.failed()
    assert not await is_over(outages)
    outages.answered()
    assert await is_over(outages)
    assert not await is_over(outages), "it is told of once"


async def test_a_failure_among_answers_is_no_outage(outages: Outages, seconds: Seconds) -> None:
    for second in range(60):
        seconds.now = second
        outages.failed()
        outages.answered()
    assert not await is_over(outages)


async def test_silence_without_a_failure_is_no_outage(outages: Outages, seconds: Seconds) -> None:
    seconds.now = 600
    outages.answered()
    assert not await is_over(outages)


async def test_what_failed_for_want_of_an_answer_is_not_left_until_its_pause_is_over(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance()
    cluster.fail("POST", "/pods", 503, times=8)
    await loop.settle()
    for _ in range(7):
        clock.advance(60)
        await loop.work()
    assert not cluster.of_kind("pods")
    assert len(loop.controller._deadlines), "it would be tried again after 12.8 s"
    loop.controller._reconciler.try_again()
    await loop.work()
    assert len(cluster.of_kind("pods")) == 1


async def test_a_pause_that_the_server_asked_for_is_kept(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance()
    cluster.fail("POST", "/pods", 429, retry_after=5)
    await loop.settle()
    loop.controller._reconciler.try_again()
    await loop.work()
    assert not cluster.of_kind("pods")
    clock.advance(5)
    await loop.work()
    assert len(cluster.of_kind("pods")) == 1
