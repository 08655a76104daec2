import logging

import pytest

from training_sandbox_server.logs import PairFormatter, about


@pytest.fixture
def line():
    """The line of a record, without its time."""

    def _line(message: str, **fields: object) -> str:
        record = logging.makeLogRecord({"msg": message, "levelname": "INFO", **about(**fields)})
        return PairFormatter().format(record).split(" ", 1)[1]

    return _line


def test_pairs_follow_the_event(line):
    assert line("episode over", episode="a", steps=3) == "INFO episode over episode=a steps=3"


@pytest.mark.parametrize(
    "value", ["two words", "line\nbreak", 'quo"te', "a=b", "", "\x1b[31m", "ü"]
)
def test_values_that_could_pass_for_something_else_are_quoted(line, value):
    written = line("event", value=value)
    assert written.startswith('INFO event value="')
    assert "\n" not in written
    assert "\x1b" not in written


def test_an_exception_stays_on_its_line():
    error = ValueError("broken\nhere")
    record = logging.makeLogRecord(
        {"msg": "failed", "levelname": "ERROR", "exc_info": (type(error), error, None)}
    )
    assert "\n" not in PairFormatter().format(record)
