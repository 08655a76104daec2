"""Log lines as JSON."""

from __future__ import annotations

import json
import logging
import sys

from training_sandbox_operator.logs import JsonFormatter, about
from training_sandbox_operator.model.names import Key


def line(record: logging.LogRecord) -> dict[str, str]:
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("operator", logging.WARNING, "x.py", 1, message, arguments, None)


def test_a_line_names_the_object_that_it_is_about() -> None:
    with about("TrainingInstance", Key("research", "demo")):
        told = line(record("pod %s\nwas made", "p"))
    assert (told["kind"], told["namespace"], told["name"]) == (
        "TrainingInstance",
        "research",
        "demo",
    )
    assert (told["level"], told["message"]) == ("warning", "pod p\nwas made")


def test_a_line_about_nothing_in_particular_names_nothing() -> None:
    with about("TrainingInstance", Key("research", "demo")):
        pass
    assert "name" not in line(record("hello"))


def test_a_traceback_stays_in_its_line() -> None:
    try:
        int("bad")
    except ValueError:
        failed = record("failed")
        failed.exc_info = sys.exc_info()
    assert "ValueError: invalid literal" in line(failed)["traceback"]
