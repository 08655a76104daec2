"""Finding an environment by its name in the venv that this process runs in."""

import importlib
from importlib.metadata import EntryPoint, entry_points

from training_sandbox_worker.environment import Environment

GROUP = "training_sandbox.environments"


class UnknownEnvironmentError(Exception):
    """No environment has this name here, or what the name leads to is none."""


def find(name: str) -> type[Environment]:
    """The class of an environment.

    Args:
        name: The name of an entry point of the group `training_sandbox.environments`, or
            `module:Class` for a class that is not installed as one.

    Raises:
        UnknownEnvironmentError: Nothing is found, or not an environment.
    """
    if ":" in name:
        point = EntryPoint(name=name, value=name, group=GROUP)
    else:
        installed = {point.name: point for point in entry_points(group=GROUP)}
        if name not in installed:
            names = ", ".join(sorted(installed)) or "none"
            raise UnknownEnvironmentError(
                f"no environment {name!r} is installed here; installed: {names}"
            )
        point = installed[name]
    return _load(point)


def _load(point: EntryPoint) -> type[Environment]:
    try:
        module = importlib.import_module(point.module)
    except ModuleNotFoundError as error:
        if error.name is None or not point.module.startswith(error.name):
            raise
        raise UnknownEnvironmentError(f"there is no module {point.module!r}") from error
    found: object = getattr(module, point.attr, None)
    if not (isinstance(found, type) and issubclass(found, Environment)):
        raise UnknownEnvironmentError(f"{point.value!r} is not a subclass of Environment")
    return found
