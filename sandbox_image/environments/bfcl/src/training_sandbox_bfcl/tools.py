"""The tools of a task, and what the package's executor says of a call."""

import json
from collections.abc import Mapping

from training_sandbox_bfcl import library
from training_sandbox_bfcl.data import TaskData
from training_sandbox_bfcl.expressions import evaluate

_FORBIDDEN = ("kill", "exit", "quit", "remove", "unlink", "popen", "Popen", "run")
"""Names that the package's executor refuses before it looks for them."""


class Tools:
    """Instances of a task's classes in the state that it starts from, owned by nobody else.

    Attributes:
        instances: The instance of each class.

    Args:
        task: The task.
        not_told: Errors that are raised instead of being told.
    """

    def __init__(self, task: TaskData, *, not_told: tuple[type[Exception], ...] = ()) -> None:
        self._not_told = not_told
        scenarios: Mapping[str, object] = json.loads(task.initial_config)
        self.instances = {
            name: library.make_instance(
                name, scenarios.get(name, {}), long_context=task.long_context
            )
            for name in task.classes
        }

    def method(self, name: str) -> library.Method | None:
        """What an agent calls by a name, of the last class that has it; None: there is nothing."""
        for instance in reversed(self.instances.values()):
            if name in library.public_methods(type(instance)):
                return getattr(instance, name)
        return None

    def execute(self, call: str) -> str:
        """What a model is told of a call, in the words of the package's executor.

        Args:
            call: Python, for example `cd(folder='document')`; what a model wrote.
        """
        try:
            if (name := _called(call)) in _FORBIDDEN:
                return _failed(f"Function call {name} is not allowed.")
            return _told(evaluate(call, self.method))
        except self._not_told:
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, the model is told)
            return _failed(error)


def _called(call: str) -> str:
    before = call.partition("(")[0]
    return before.split(".")[1] if "." in before else before


def _failed(why: object) -> str:
    return f"Error during execution: {why}"


def _told(result: object) -> str:
    if isinstance(result, dict):
        try:
            return json.dumps(result)
        except (TypeError, ValueError, RecursionError):
            return str(result)  # pyright: ignore[reportUnknownArgumentType]
    return str(result)
