"""Tells what an environment is, in the environment's own venv. Run as a file, by its path.

Usage: `PYTHON -P tell.py examples NAME [MODULE:FUNCTION]` or `PYTHON -P tell.py environment NAME`.
Writes one JSON object to standard output; whatever the environment prints goes to standard error.
"""

import dataclasses
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from training_sandbox_worker.discovery import find
from training_sandbox_worker.examples import Example
from training_sandbox_worker.jail import interpreter_paths

EXAMPLES_GROUP = "training_sandbox.examples"


def examples(name: str, function: str | None = None) -> object:
    """The examples of an environment, from a function or from its entry point."""
    return [dataclasses.asdict(example) for example in _function(name, function)()]


def environment(name: str) -> object:
    """The splits of an environment, and what episodes and evaluations may read."""
    found = find(name)()
    found.preload()
    return {
        "name": found.name,
        "splits": {split: list(task_ids) for split, task_ids in found.splits().items()},
        "readable": _resolved([*found.readable(), *interpreter_paths.readable()]),
        "truth": _resolved(found.truth()),
    }


def _function(name: str, function: str | None) -> Callable[[], Sequence[Example]]:
    if function is not None:
        module, _, attribute = function.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ModuleNotFoundError, AttributeError, ValueError) as error:
            sys.exit(f"--examples {function}: {error}; it must be MODULE:FUNCTION of this venv")
    installed = {point.name: point for point in entry_points(group=EXAMPLES_GROUP)}
    if name not in installed:
        sys.exit(
            f"no examples of {name!r} are installed here: name a function that gives them under "
            f'[project.entry-points."{EXAMPLES_GROUP}"] in its pyproject.toml, and install it anew'
        )
    return installed[name].load()


def _resolved(paths: Sequence[Path]) -> list[str]:
    return sorted({str(path.resolve()) for path in paths})


def main() -> None:
    """Tell what is asked for."""
    what, *arguments = sys.argv[1:]
    answer = os.dup(1)
    os.dup2(2, 1)
    told = {"examples": examples, "environment": environment}[what](*arguments)
    with os.fdopen(answer, "w", encoding="utf-8") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main()
