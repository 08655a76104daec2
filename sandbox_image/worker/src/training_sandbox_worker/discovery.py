"""Finding an environment by its name in the venv that this process runs in."""

import importlib
import json
import os
from typing import NoReturn, cast

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
    return _load(name if ":" in name else _value(name))


def _value(name: str) -> str:
    installed = _installed()
    if name not in installed:
        names = ", ".join(sorted(installed)) or "none"
        raise UnknownEnvironmentError(
            f"no environment {name!r} is installed here; installed: {names}"
        )
    return installed[name]


def _installed() -> dict[str, str]:
    """The value of each entry point, by its name.

    A child looks them up: what that imports, a third of what a small environment needs, would be
    in each process that is forked from this one.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _tell_installed(writer)
    os.close(writer)
    with os.fdopen(reader) as told:
        found = told.read()
    os.waitpid(child, 0)
    return cast("dict[str, str]", json.loads(found))


def _tell_installed(writer: int) -> NoReturn:
    status = 1
    try:
        from importlib.metadata import entry_points  # noqa: PLC0415 (not in the parent)

        found = {point.name: point.value for point in entry_points(group=GROUP)}
        os.write(writer, json.dumps(found).encode())
        status = 0
    finally:
        os._exit(status)


def _load(value: str) -> type[Environment]:
    module_name, _, attribute = value.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise UnknownEnvironmentError(f"there is no module {module_name!r}") from error
    found: object = getattr(module, attribute, None)
    if not (isinstance(found, type) and issubclass(found, Environment)):
        raise UnknownEnvironmentError(f"{value!r} is not a subclass of Environment")
    return found
