"""The page of reasons and the reasons that the operator gives are the same."""

from __future__ import annotations

import re
from pathlib import Path

from training_sandbox_operator.model.reasons import Reason

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
_ROW = re.compile(r"^\| ([A-Z]\w+(?:, [A-Z]\w+)*) \|", re.MULTILINE)

NOTHING_TO_DO = {
    Reason.SCHEDULING,
    Reason.CREATING_CONTAINER,
    Reason.SERVER_READY,
    Reason.TASK_RUNNING,
    Reason.TASK_FINISHED,
}
SERVERS_OWN = {"UnknownTask"}


def reasons_on_the_page() -> set[str]:
    return {reason for row in _ROW.findall(PAGE.read_text()) for reason in row.split(", ")}


def test_every_reason_that_asks_for_something_is_on_the_page() -> None:
    assert set(Reason) - NOTHING_TO_DO <= reasons_on_the_page()


def test_no_reason_is_on_the_page_that_nobody_gives() -> None:
    assert reasons_on_the_page() <= set(Reason) | SERVERS_OWN
