"""AppWorld as an environment of Training Sandbox."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from training_sandbox_appworld import clock, evaluation, heap, library, live_world
from training_sandbox_appworld.data import read_splits
from training_sandbox_appworld.databases import Databases
from training_sandbox_appworld.episode import AppWorldEpisode
from training_sandbox_appworld.forgetting import forgotten_afterwards
from training_sandbox_appworld.prompts import tools
from training_sandbox_appworld.rehearsal import rehearse
from training_sandbox_appworld.saved_state import decode
from training_sandbox_worker.environment import Environment, Episode, Task

_NOT_PRELOADED = "preload comes first"


class AppWorldEnvironment(Environment):
    """The tasks of the world at APPWORLD_ROOT, which is only read."""

    name = "appworld"

    def __init__(self) -> None:
        self._root = library.root()
        self._splits: Mapping[str, Sequence[str]] = {}
        self._prepared: tuple[live_world.LiveWorld, Databases] | None = None

    def preload(self) -> None:
        """Import AppWorld, load the databases and play one task; no ground truth is read.

        Raises:
            WorldUnusable: There is no world, or AppWorld is not installed.
        """
        # The ground truth has Python files, which would get a cache beside them.
        sys.dont_write_bytecode = True
        self._splits = read_splits(self._root)
        library.require_usable_root(self._root)
        library.require_installed_apps()
        library.use_root(self._root)
        live_world.prepare()
        evaluation.prepare()
        databases = Databases(self._data / "base_dbs")
        any_task = next(ids[0] for ids in self._splits.values() if ids)
        with forgotten_afterwards(databases):
            rehearse(databases, any_task)
        with forgotten_afterwards(databases):
            world = live_world.make_world(databases, any_task)
        clock.let_worlds_stop_it()
        heap.fill_holes()
        self._prepared = world, databases

    def splits(self) -> Mapping[str, Sequence[str]]:
        """The task ids of train, dev, test_normal and test_challenge."""
        return self._splits

    def tools(self) -> str:
        """The description of the one tool, which executes code."""
        return tools()

    def truth(self) -> Sequence[Path]:
        """The tasks: what is expected of each, and what it starts from."""
        return [self._data / "tasks"]

    def open(self, task: Task) -> Episode:
        """Start a task; params: `simple` and `prompt`, both booleans."""
        assert self._prepared is not None, _NOT_PRELOADED  # noqa: S101
        world, databases = self._prepared
        return AppWorldEpisode(task, world, databases)

    def evaluate(self, task: Task, state: bytes, *, sparse: bool) -> float:
        """The share of the task's tests that pass, or with `sparse` whether all of them do.

        Raises:
            StateTampered: The saved state is not one that an episode saves.
        """
        assert self._prepared is not None, _NOT_PRELOADED  # noqa: S101
        _, databases = self._prepared
        truth = evaluation.ground_truth(task.id)
        score = evaluation.evaluate(databases, task.id, decode(state), truth)
        if score.passed + score.failed == 0:
            raise RuntimeError(f"the evaluation of {task.id} has no tests")
        return float(score.failed == 0) if sparse else score.passed / (score.passed + score.failed)

    @property
    def _data(self) -> Path:
        return self._root.resolve() / "data"
