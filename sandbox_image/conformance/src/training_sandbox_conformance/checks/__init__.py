"""The promises of an environment, in the order in which they are checked."""

from collections.abc import Sequence

from training_sandbox_conformance.checks import (
    bad_input,
    confined,
    deterministic,
    evaluation,
    fork_safe,
    isolated,
    released,
    solutions,
    starts,
    tasks,
)
from training_sandbox_conformance.subject import Check

CHECKS: Sequence[Check] = (
    starts.CHECK,
    tasks.CHECK,
    solutions.CHECK,
    deterministic.CHECK,
    isolated.CHECK,
    fork_safe.CHECK,
    evaluation.CHECK,
    bad_input.CHECK,
    confined.CHECK,
    released.CHECK,
)
