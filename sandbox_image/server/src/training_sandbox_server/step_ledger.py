"""Which step is next, which one is a repetition: every action is executed once. No I/O."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from training_sandbox_server.errors import OutOfOrderError
from training_sandbox_server.strict_json import canonical


@dataclass(frozen=True, slots=True)
class ExecutedStep:
    """A step and its answer.

    Attributes:
        fingerprint: Of the action, see `fingerprint`.
        message: The observation.
        truncated: Whether the observation's end was cut off.
        terminated: Whether the task ended with this step.
    """

    fingerprint: bytes
    message: Mapping[str, object]
    truncated: bool
    terminated: bool


@dataclass(slots=True)
class StepLedger:
    """How far an episode has come.

    Attributes:
        executed: The number of executed steps.
        last: The last of them.
        rewards: The evaluations since, dense (False) and sparse (True).
    """

    executed: int = 0
    last: ExecutedStep | None = None
    rewards: dict[bool, float] = field(default_factory=dict)

    @property
    def final_reward(self) -> float | None:
        """The reward that the step which ended the task carries, once it was evaluated."""
        terminated = self.last is not None and self.last.terminated
        return self.rewards.get(False) if terminated else None

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
        self.rewards.clear()

    def copy(self) -> "StepLedger":
        """The ledger of a branch, which goes on from here."""
        return replace(self, rewards=dict(self.rewards))

    def _out_of_order(self, detail: str) -> OutOfOrderError:
        return OutOfOrderError(
            f"{detail}; expected step_index {self.executed}", expected_step_index=self.executed
        )


def fingerprint(message: Mapping[str, object]) -> bytes:
    """A digest that equal messages share, whatever the order of their members."""
    return hashlib.blake2b(canonical(message).encode(), digest_size=16).digest()
