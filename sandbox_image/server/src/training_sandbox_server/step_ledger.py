"""Which step is next, which one is a repetition: every action is executed once. No I/O."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from training_sandbox_server.errors import OutOfOrderError


@dataclass(slots=True)
class ExecutedStep:
    """A step and its answer.

    Attributes:
        fingerprint: Of the action, see `fingerprint`.
        message: The observation.
        terminated: Whether the task ended with this step.
        reward: The evaluation's, once a terminated step was evaluated.
    """

    fingerprint: bytes
    message: Mapping[str, object]
    terminated: bool
    reward: float | None = None


class StepLedger:
    """Counts the executed steps of an episode and keeps the last one's answer."""

    def __init__(self) -> None:
        self.executed = 0
        self.last: ExecutedStep | None = None

    def repeated(self, step_index: int | None, action: bytes) -> ExecutedStep | None:
        """The executed step that a call repeats; None when the call is to be executed.

        Args:
            step_index: How many steps the caller counts before this one; None when it does not
                count, which is always a new step.
            action: The fingerprint of the call's message.

        Raises:
            OutOfOrderError: The index is neither the next nor the last, or it is the last with
                another action.
        """
        if step_index is None or step_index == self.executed:
            return None
        if self.last is None or step_index != self.executed - 1:
            raise self._out_of_order(
                f"step_index is {step_index}, but {self.executed} steps were executed"
            )
        if action != self.last.fingerprint:
            raise self._out_of_order(f"step {step_index} was executed with another message")
        return self.last

    def record(self, step: ExecutedStep) -> None:
        """Count a step that was just executed."""
        self.executed += 1
        self.last = step

    def _out_of_order(self, detail: str) -> OutOfOrderError:
        return OutOfOrderError(
            f"{detail}; expected step_index {self.executed}", expected_step_index=self.executed
        )


def fingerprint(message: Mapping[str, object]) -> bytes:
    """A digest that equal messages share, whatever the order of their members."""
    canonical = json.dumps(message, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=16).digest()
