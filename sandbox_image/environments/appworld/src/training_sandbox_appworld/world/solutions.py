"""A right and a wrong solution of every task of a synthetic world.

They are in one file beside the world's `data`, not in it: no part of AppWorld reads it, and a
client on another machine can have it without the world and without AppWorld. Print one with
`python -m training_sandbox_appworld.world.solutions --root DIR --task ID [--wrong]`.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

SOLUTIONS_FILE = "solutions.json"


@dataclass(frozen=True, slots=True)
class Solutions:
    """The solutions of one task.

    Attributes:
        family: The kind of task.
        split: The split that the task is in.
        right: The code of each step of a solution with reward 1.0.
        wrong: The code of each step of one that completes the task with a lower reward.
    """

    family: str
    split: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]


def save_solutions(root: Path, solutions: Mapping[str, Solutions]) -> None:
    """Write the solutions by task id."""
    content = {task_id: asdict(of_task) for task_id, of_task in solutions.items()}
    (root / SOLUTIONS_FILE).write_text(json.dumps(content, indent=1) + "\n")


def load_solutions(root: Path) -> dict[str, Solutions]:
    """Read the solutions by task id.

    Raises:
        FileNotFoundError: The root is not one of a synthetic world.
    """
    content = cast("dict[str, dict[str, object]]", json.loads((root / SOLUTIONS_FILE).read_text()))
    return {
        task_id: Solutions(
            family=str(of_task["family"]),
            split=str(of_task["split"]),
            right=tuple(cast("list[str]", of_task["right"])),
            wrong=tuple(cast("list[str]", of_task["wrong"])),
        )
        for task_id, of_task in content.items()
    }


def main() -> None:
    """Print a solution, its steps as the ```python blocks that an agent would send."""
    parser = argparse.ArgumentParser(
        prog="python -m training_sandbox_appworld.world.solutions",
        description="Print the solution of a task of a synthetic world.",
    )
    parser.add_argument("--root", type=Path, required=True, help="the world's root")
    parser.add_argument("--task", required=True, help="the task's id")
    parser.add_argument("--wrong", action="store_true", help="the solution that is wrong")
    arguments = parser.parse_args()
    try:
        solutions = load_solutions(arguments.root)
    except FileNotFoundError:
        parser.error(f"--root: {arguments.root} has no {SOLUTIONS_FILE}")
    if arguments.task not in solutions:
        parser.error(f"--task: there is no task {arguments.task} in {arguments.root}")
    of_task = solutions[arguments.task]
    for code in of_task.wrong if arguments.wrong else of_task.right:
        sys.stdout.write(f"```python\n{code}\n```\n\n")


if __name__ == "__main__":
    main()
