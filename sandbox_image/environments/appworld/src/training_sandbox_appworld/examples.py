"""The solutions of a synthetic world, as an agent would send them."""

from collections.abc import Sequence

from training_sandbox_appworld import library
from training_sandbox_appworld.world.solutions import SOLUTIONS_FILE, load_solutions
from training_sandbox_worker.environment import Message
from training_sandbox_worker.examples import Example


def examples() -> list[Example]:
    """An example of every task of the world at APPWORLD_ROOT.

    Raises:
        WorldUnusable: It is no synthetic world: nobody knows solutions of its tasks.
    """
    root = library.root()
    try:
        solutions = load_solutions(root)
    except FileNotFoundError as error:
        raise library.WorldUnusable(
            f"{root} has no {SOLUTIONS_FILE}: only synthetic worlds have solutions. "
            "`python -m training_sandbox_appworld.world --root DIR` generates one."
        ) from error
    return [
        Example(task_id, right=_say(of_task.right), wrong=_say(of_task.wrong))
        for task_id, of_task in solutions.items()
    ]


def _say(steps: Sequence[str]) -> list[Message]:
    return [{"role": "assistant", "content": f"```python\n{code}\n```"} for code in steps]
