"""The Berkeley Function Calling Leaderboard as an environment."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from training_sandbox_bfcl import data, evaluation, prompts
from training_sandbox_bfcl.data import TaskData, parse_task
from training_sandbox_bfcl.episode import BfclEpisode
from training_sandbox_bfcl.rehearsal import rehearse, rehearse_single_turn
from training_sandbox_bfcl.saved_state import decode
from training_sandbox_bfcl.schemas import Schemas, read_schemas
from training_sandbox_bfcl.single_turn import answer, tasks
from training_sandbox_bfcl.single_turn.episode import SingleTurnEpisode
from training_sandbox_bfcl.single_turn.evaluation import is_right
from training_sandbox_worker.environment import Environment, Episode, Task


class BfclEnvironment(Environment):
    """The tasks in the data folder of `bfcl_eval`, which is at BFCL_DATA and only read."""

    name = "bfcl"

    def __init__(self) -> None:
        self._root = data.root()
        self._tasks: Mapping[str, str] = {}
        self._single_turn: Mapping[str, bytes] = {}
        self._splits: Mapping[str, Sequence[str]] = {}
        self._schemas: Schemas = {}

    def preload(self) -> None:
        """Read the tasks and play some, of all kinds; no ground truth is read.

        Raises:
            DataUnusable: There is no data, or episodes could read the answers.
        """
        data.require_hidden_answers(self._root)
        self._tasks = data.read_tasks(self._root)
        self._single_turn = tasks.read_tasks(self._root)
        self._splits = {
            **data.splits(list(self._tasks)),
            **tasks.splits(list(self._single_turn)),
        }
        self._schemas = read_schemas(self._root)
        rehearse(self._tasks.values(), self._schemas)
        rehearse_single_turn(tasks.parse_task(next(iter(self._single_turn.values()))))

    def splits(self) -> Mapping[str, Sequence[str]]:
        """Multi-turn: train and test, the four categories, and `index`: all by their number.

        Single-turn: the eleven categories, all of them, and a train and a test of their own.
        """
        return self._splits

    def tools(self) -> str:
        """The schemas of all tools; a multi-turn task has those of its classes.

        The functions of single-turn tasks are of one task each, and only told there.
        """
        return prompts.tools(
            schema for of_class in self._schemas.values() for schema in of_class.values()
        )

    def truth(self) -> Sequence[Path]:
        """The data folder: what is asked, and what the right calls are."""
        return [self._root.resolve()]

    def open(self, task: Task) -> Episode:
        """Start a task; it takes no params."""
        if line := self._single_turn.get(task.id):
            return SingleTurnEpisode(tasks.parse_task(line))
        return BfclEpisode(self._task(task), self._schemas)

    def evaluate(self, task: Task, state: bytes, *, sparse: bool) -> float:
        """The share of the turns that check out, or with `sparse` whether all of them do.

        A single-turn task has one; it does not check out before it is answered.

        Raises:
            StateTampered: The saved state is not one that an episode saves.
        """
        if line := self._single_turn.get(task.id):
            answered = tasks.parse_task(line)
            answers = answer.decode(state)
            return float(any(is_right(self._root, answered, one) for one in answers))
        opened = self._task(task)
        turns = decode(state, most_turns=len(opened.turns))
        truth = evaluation.ground_truth(self._root, opened.id)
        score = evaluation.score(opened, truth, turns)
        return float(score.right == score.counted) if sparse else score.right / score.counted

    def _task(self, task: Task) -> TaskData:
        by_index = task.id.isdecimal()
        text = list(self._tasks.values())[int(task.id)] if by_index else self._tasks[task.id]
        return parse_task(text)
