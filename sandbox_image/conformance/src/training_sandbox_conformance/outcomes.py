"""What a check finds, and why there may be nothing to check."""

from dataclasses import dataclass
from enum import StrEnum


class Violation(Exception):  # noqa: N818 (a finding, not a failure of the kit)
    """The environment breaks a promise; the text says what was seen."""


class NotApplicable(Exception):  # noqa: N818 (the same)
    """The check has nothing to look at here; the text says why."""


class KitError(Exception):
    """The kit cannot do its work; the text says why and what to do."""


class Verdict(StrEnum):
    """How a check went."""

    PASSED = "passed"
    FAILED = "FAILED"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a check went.

    Attributes:
        check: The check's name.
        promise: What the environment promises.
        verdict: Whether it keeps it.
        text: What was seen; may be empty when it passed.
        remedy: What to do when it failed, else empty.
    """

    check: str
    promise: str
    verdict: Verdict
    text: str = ""
    remedy: str = ""
