from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_sandbox_operator.control.clock import ClusterClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Machine:
    """A machine with a clock that can be set, and one that cannot; and the API server's clock."""

    def __init__(self) -> None:
        self.wall = NOON
        self.seconds = 1000.0
        self.api_server = NOON + timedelta(milliseconds=400)

    def pass_time(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.api_server += timedelta(seconds=seconds)
        self.seconds += seconds

    def clock(self) -> ClusterClock:
        return ClusterClock(lambda: self.wall, lambda: self.seconds)

    @property
    def date(self) -> str:
        return format_datetime(self.api_server.replace(microsecond=0), usegmt=True)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_setting_the_clock_of_the_machine_changes_nothing(
    machine: Machine, step: timedelta
) -> None:
    clock = machine.clock()
    machine.wall += step
    machine.pass_time(60)
    assert clock.now() == NOON + timedelta(seconds=60)


@pytest.mark.parametrize("fault", [HOUR, -HOUR, timedelta(seconds=3)])
def test_a_machine_whose_clock_is_wrong_from_the_start_follows_the_api_server(
    machine: Machine, fault: timedelta
) -> None:
    machine.wall += fault
    clock = machine.clock()
    clock.observe(machine.date, 0.01)
    assert timedelta() <= machine.api_server - clock.now() < timedelta(seconds=1)


def test_a_clock_that_agrees_with_the_api_server_stays_as_it_is(machine: Machine) -> None:
    machine.api_server = machine.wall
    clock = machine.clock()
    for _ in range(10):
        machine.pass_time(0.7)
        clock.observe(machine.date, 0.01)
    assert clock.now() == machine.wall


def test_a_slow_answer_does_not_set_the_clock_back(machine: Machine) -> None:
    clock = machine.clock()
    date = machine.date
    machine.pass_time(25)
    clock.observe(date, 25)
    assert clock.now() == machine.wall


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Jan 2026 12:00:00 GMT"])
def test_a_date_that_is_none_is_no_news(machine: Machine, date: str) -> None:
    clock = machine.clock()
    clock.observe(date, 0.01)
    assert clock.now() == NOON


@given(
    fault=st.floats(-1e6, 1e6),
    pauses=st.lists(st.floats(0, 100), min_size=1, max_size=20),
    steps=st.lists(st.floats(-1e5, 1e5), max_size=20),
)
def test_it_is_never_ahead_of_the_api_server_once_it_was_wrong(
    fault: float, pauses: list[float], steps: list[float]
) -> None:
    machine = Machine()
    machine.wall += timedelta(seconds=fault)
    clock = machine.clock()
    for number, pause in enumerate(pauses):
        machine.pass_time(pause)
        machine.wall += timedelta(seconds=steps[number] if number < len(steps) else 0)
        clock.observe(machine.date, 0)
        behind = machine.api_server - clock.now()
        assert -timedelta(seconds=1) <= behind < timedelta(seconds=1)
