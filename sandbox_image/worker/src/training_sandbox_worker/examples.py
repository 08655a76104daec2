"""Played tasks of which an environment knows the score: what tests and the conformance kit play.

An environment names a function without arguments under the entry point group
`training_sandbox.examples`, with its own name: it gives `Example`s of the tasks that the
environment has as it is set up (its world, its catalogue, its data).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from training_sandbox_worker.environment import Message


@dataclass(frozen=True, slots=True)
class Example:
    """Two ways to play one task.

    Attributes:
        task_id: One of the ids in `Environment.splits`.
        right: The agent's messages, one a step, that end the task with the full score, 1.0.
        wrong: Messages after which the score is below 1.0; they need not end the task.
    """

    task_id: str
    right: Sequence[Message]
    wrong: Sequence[Message]
