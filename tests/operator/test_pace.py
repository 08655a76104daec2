"""The pace of starts: slower while statuses take long to be written, never none."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_sandbox_operator.control.pace import Pace

MOST = 16
QUICK, SLOW = 0.004, 0.2


@pytest.fixture
def pace() -> Pace:
    pace = Pace(MOST)
    write(pace, QUICK, times=10)
    return pace


def write(pace: Pace, seconds: float, times: int) -> None:
    for _ in range(times):
        pace.observe(seconds)


def test_as_many_as_may_be_start_at_once_before_anything_is_known() -> None:
    assert Pace(MOST).starts_at_once == MOST


def test_while_writes_are_slow_instances_start_one_by_one(pace: Pace) -> None:
    write(pace, SLOW, times=100)
    assert pace.starts_at_once == 1


def test_once_writes_are_quick_again_as_many_start_as_before(pace: Pace) -> None:
    write(pace, SLOW, times=100)
    write(pace, QUICK, times=200)
    assert pace.starts_at_once == MOST


@pytest.mark.parametrize("seconds", [0.02, 0.5, 30])
def test_one_write_that_was_slow_changes_little(pace: Pace, seconds: float) -> None:
    pace.observe(seconds)
    write(pace, QUICK, times=3)
    assert pace.starts_at_once >= MOST - 2


@pytest.mark.parametrize("median", [0.012, 0.02, SLOW])
def test_an_api_server_that_is_far_away_is_not_taken_for_a_busy_one(median: float) -> None:
    pace, chance = Pace(MOST), random.Random(1)
    for _ in range(20_000):
        pace.observe(median * chance.lognormvariate(0, 0.3))
    assert pace.starts_at_once >= MOST - 2


def test_an_api_server_that_has_become_slower_for_good_is_not_busy_for_ever(pace: Pace) -> None:
    write(pace, 4 * QUICK, times=100)
    assert pace.starts_at_once < MOST
    write(pace, 4 * QUICK, times=5000)
    assert pace.starts_at_once == MOST


def test_what_takes_milliseconds_is_not_slow_though_some_took_fewer(pace: Pace) -> None:
    pace.observe(0.001)
    write(pace, 0.012, times=100)
    assert pace.starts_at_once == MOST


@given(st.integers(1, 128), st.lists(st.floats(0, 60), max_size=200))
def test_there_is_always_room_for_one_start_and_never_for_more_than_the_most(
    most: int, durations: list[float]
) -> None:
    pace = Pace(most)
    for seconds in durations:
        pace.observe(seconds)
        assert 1 <= pace.starts_at_once <= most
