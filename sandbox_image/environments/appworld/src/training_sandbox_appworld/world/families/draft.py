"""A task before it is written: what is asked, what is expected, and how it is solved."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from training_sandbox_appworld.world import evaluation
from training_sandbox_appworld.world.contents import Contents
from training_sandbox_appworld.world.people import Person
from training_sandbox_appworld.world.tables import Row


@dataclass(frozen=True, slots=True)
class Change:
    """The records of one model that a right solution adds and updates.

    A record is given by the fields that matter; all records of a list have the same ones.
    """

    model: str
    added: tuple[Row, ...] = ()
    updated: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """One task.

    Attributes:
        supervisor: Who asks.
        instruction: What the agent reads.
        right: The code of each step of a solution with reward 1.0.
        wrong: The code of each step of one that completes the task with a lower reward.
        answer: The answer to a question; nothing when something is to be done.
        changes: The records to change, when something is to be done.
        side_effects: Further models whose records change with them.
    """

    supervisor: Person
    instruction: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    answer: str | float | None = None
    changes: tuple[Change, ...] = ()
    side_effects: tuple[str, ...] = ()

    def private_data(self) -> Row:
        """What `evaluation` compares with."""
        changed = [change.model for change in self.changes]
        return {
            "changed_models": [*changed, *self.side_effects],
            "records": [
                {
                    "model": change.model,
                    "added": list(change.added),
                    "updated": list(change.updated),
                }
                for change in self.changes
            ],
        }

    def test_data(self) -> list[Row]:
        """The requirements that `evaluation` tests, and whether doing nothing fails them."""
        if not self.changes:
            labels = {evaluation.ANSWER: "no_op_fail", evaluation.CHANGED_MODELS: "no_op_pass"}
        else:
            requirements = (evaluation.ANSWER, evaluation.CHANGED_MODELS, evaluation.RECORDS)
            labels = dict.fromkeys(requirements, "no_op_fail")
        return [
            {"requirement": requirement, "label": label} for requirement, label in labels.items()
        ]


MakeDraft = Callable[[Contents, Random], Draft]
