"""Which step of an episode comes next, and whether the last one was answered. Pure.

A server executes a step index once and answers it again when it comes again. So a client that
numbers its steps may resend one freely, as long as it never sends another action under the
index of a step whose answer it missed.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from training_sandbox._exceptions import (
    CallTimedOut,
    ConnectionFailed,
    EvaluationFailed,
    InvalidAnswer,
    OutOfOrder,
    ServerFault,
    TrainingSandboxError,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from training_sandbox._json import JsonObject

BEYOND_ANY_STEP = 2**31 - 1
"""A step index that no episode reaches: the server refuses it and says which it expects."""


class StepSequence:
    """The steps of one episode, as this client knows them.

    Args:
        next_index: how many steps the server has executed; None when it is not known, as for
            an episode that another client may have stepped.
    """

    def __init__(self, next_index: int | None) -> None:
        self._next = next_index
        self._unanswered: JsonObject | None = None

    @property
    def next_index(self) -> int | None:
        """How many steps the server has executed; None when the server must be asked."""
        return self._next

    def resume_at(self, next_index: int) -> None:
        """Note how many steps the server says it has executed."""
        self._next = next_index
        self._unanswered = None

    def require_answer(self) -> None:
        """Make sure that the last action was answered, so that it is known what was executed.

        Raises:
            OutOfOrder: its answer is missing.
        """
        if self._unanswered is not None:
            raise self._answer_missing()

    @contextmanager
    def sending(self, action: JsonObject) -> Generator[int]:
        """Yield the index to send the action under; note how that ended.

        A body that is cancelled, or that ends with an error which is no answer, leaves the
        action unanswered: the same index again, for the same action only.

        Raises:
            OutOfOrder: the answer of another action is still missing under that index.
        """
        index = self._begin(action)
        try:
            yield index
        except (ConnectionFailed, CallTimedOut, InvalidAnswer):
            raise
        except (ServerFault, EvaluationFailed):
            self._next, self._unanswered = None, None
            raise
        except OutOfOrder as error:
            self._unanswered = None
            if error.expected_step_index is not None:
                self._next = error.expected_step_index
            raise
        except TrainingSandboxError:
            self._unanswered = None
            raise
        self._next, self._unanswered = index + 1, None

    def _begin(self, action: JsonObject) -> int:
        index = self._next
        if index is None:
            raise RuntimeError("the next step's index is not known yet")
        if self._unanswered is not None and self._unanswered != action:
            raise self._answer_missing()
        self._unanswered = action
        return index

    def _answer_missing(self) -> OutOfOrder:
        error = OutOfOrder(
            f"the answer of step {self._next} never arrived, so it is not known whether it was "
            "executed: send the same action again to get its answer, or release the episode"
        )
        error.expected_step_index = self._next
        return error
