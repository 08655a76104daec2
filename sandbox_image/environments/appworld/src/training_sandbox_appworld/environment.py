"""AppWorld as an environment of Training Sandbox."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from training_sandbox_appworld import library
from training_sandbox_appworld.data import read_splits
from training_sandbox_appworld.episode import OUTPUT, AppWorldEpisode
from training_sandbox_appworld.prompts import tools
from training_sandbox_appworld.rehearsal import rehearse
from training_sandbox_appworld.saved_state import check_saved_state
from training_sandbox_worker.environment import Environment, Episode, EpisodeContext

_DEFAULT_ROOT = "/opt/world"


class AppWorldEnvironment(Environment):
    """The tasks of the world at APPWORLD_ROOT, which is only read."""

    name = "appworld"

    def __init__(self) -> None:
        self._root = Path(os.environ.get(library.ROOT_VARIABLE, _DEFAULT_ROOT))
        self._splits: Mapping[str, Sequence[str]] = {}

    def preload(self) -> None:
        """Import AppWorld and play one task.

        Raises:
            WorldUnusable: There is no world, or AppWorld is not installed.
        """
        # The ground truth has Python files, which would get a cache beside them.
        sys.dont_write_bytecode = True
        self._splits = read_splits(self._root)
        library.require_usable_root(self._root)
        library.require_installed_apps()
        library.use_root(self._root)
        rehearse(self, next(ids[0] for ids in self._splits.values() if ids))

    def splits(self) -> Mapping[str, Sequence[str]]:
        """The task ids of train, dev, test_normal and test_challenge."""
        return self._splits

    def tools(self) -> str:
        """The description of the one tool, which executes code."""
        return tools()

    def open(self, context: EpisodeContext) -> Episode:
        """Start a task; params: `simple` and `prompt`, both booleans."""
        return AppWorldEpisode(context)

    def evaluate(self, context: EpisodeContext, *, sparse: bool) -> float:
        """The share of the task's tests that pass, or with `sparse` whether all of them do.

        Raises:
            StateTampered: The saved state is not one that AppWorld writes.
        """
        check_saved_state(context.directory / "tasks" / context.task_id / "dbs")
        os.chdir(context.directory)
        # AppWorld imports the task's evaluation by a bare name, from the end of the path. It must
        # not find a file of that name that agent code has put elsewhere.
        truth = self._root.resolve() / "data" / "tasks" / context.task_id / "ground_truth"
        sys.path.insert(0, str(truth))
        try:
            tracker = library.module("evaluator").evaluate_task(
                task_id=context.task_id, experiment_name=OUTPUT, save_report=False
            )
        finally:
            sys.path.remove(str(truth))
        passes, failures = len(tracker.passes), len(tracker.failures)
        if passes + failures == 0:
            raise RuntimeError(f"the evaluation of {context.task_id} has no tests")
        return float(failures == 0) if sparse else passes / (passes + failures)
