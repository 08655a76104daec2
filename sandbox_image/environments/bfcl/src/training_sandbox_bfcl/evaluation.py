"""The score of a trajectory: its calls are executed anew and compared with the ground truth's.

The verdict on each turn is that of the package's own checkers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from training_sandbox_bfcl import library
from training_sandbox_bfcl.data import TaskData, read_ground_truth
from training_sandbox_bfcl.saved_state import Turns
from training_sandbox_bfcl.tools import Tools

_OF_THE_MACHINE = (MemoryError, OSError)


@dataclass(frozen=True, slots=True)
class Score:
    """How many of the turns that count check out."""

    right: int
    counted: int


def ground_truth(folder: Path, task_id: str) -> Turns:
    """The calls that each turn of a task asks for.

    Args:
        folder: The data folder.
        task_id: An id in the package's data.
    """
    return cast("Turns", read_ground_truth(folder, task_id))


def score(task: TaskData, truth: Turns, turns: Turns) -> Score:
    """Score the calls of an episode.

    A turn that asks for no call (something is missing yet) checks out whatever is called in it,
    and does not count; unless it was never reached.

    Args:
        task: The task.
        truth: See `ground_truth`.
        turns: The calls of the turns that were reached.

    Raises:
        MemoryError, OSError: The machine lacks something; no response stands for that.
    """
    played, expected = (Tools(task, not_told=_OF_THE_MACHINE) for _ in range(2))
    responses: list[str] = []
    verdicts: list[bool] = []
    for index, wanted in enumerate(truth):
        reached = index < len(turns)
        calls: Sequence[str] = turns[index] if reached else ()
        responses += [played.execute(call) for call in calls]
        wanted_responses = [expected.execute(call) for call in wanted]
        if wanted:
            verdicts.append(
                bool(calls)
                and library.states_match(played.instances, expected.instances)
                and library.responses_match(responses, wanted_responses, index)
            )
        elif not reached:
            verdicts.append(False)
    return Score(sum(verdicts), len(verdicts))
