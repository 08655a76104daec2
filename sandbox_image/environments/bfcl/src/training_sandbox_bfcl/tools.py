"""The tools of a task, and what the package's executor says of a call."""

import json

from training_sandbox_bfcl import library
from training_sandbox_bfcl.data import TaskData
from training_sandbox_bfcl.expressions import evaluate

_FORBIDDEN = ("kill", "exit", "quit", "remove", "unlink", "popen", "Popen", "run")
"""Names that the package's executor refuses before it looks for them."""


class Tools:
    """Instances of a task's classes in the state that it starts from, owned by nobody else.

    Attributes:
        instances: The instance of each class.
    """

    def __init__(self, task: TaskData) -> None:
        self.instances = {
            name: library.make_instance(name, task.initial_config, long_context=task.long_context)
            for name in task.classes
        }
        self._methods = {
            name: method
            for instance in self.instances.values()
            for name, method in library.public_methods(instance).items()
        }

    def execute(self, call: str) -> str:
        """What a model is told of a call, in the words of the package's executor.

        Args:
            call: Python, for example `cd(folder='document')`; what a model wrote.
        """
        try:
            if (name := _called(call)) in _FORBIDDEN:
                return _failed(f"Function call {name} is not allowed.")
            return _told(evaluate(call, self._methods))
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
