"""What counts as a failed test, and what as no evaluation at all."""

import sqlite3
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from training_sandbox_appworld import evaluation, library


@pytest.fixture
def tracker() -> Any:
    evaluation.prepare()
    return library.module("evaluator").TestTracker()


@pytest.mark.parametrize("error", [AssertionError(), AttributeError("none"), RecursionError()])
def test_a_test_that_raises_has_failed(tracker: Any, error: Exception) -> None:
    with tracker("something holds"):
        raise error
    assert tracker.fail_count == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        PermissionError("the jail"),
        sqlite3.OperationalError("out of memory"),
        OperationalError("SELECT 1", {}, Exception("out of memory")),
    ],
)
def test_what_the_machine_lacks_is_no_failed_test(tracker: Any, error: Exception) -> None:
    with pytest.raises(type(error)), tracker("something holds"):
        raise error
    assert tracker.fail_count == 0
