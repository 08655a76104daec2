"""The way into the `bfcl_eval` package, which has no types: its tools and its checkers.

Nothing here imports `bfcl_eval.utils` or `bfcl_eval.constants.eval_config`, which make folders
beside the package when they are imported.
"""

import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast

Method = Callable[..., object]

_CHECKER = "eval_checker.multi_turn_eval.multi_turn_checker"


def module(name: str) -> Any:
    """A module of the package, by its dotted name below it."""
    return import_module(f"bfcl_eval.{name}")


def package_folder() -> Path:
    """Where the package is installed."""
    return Path(import_module("bfcl_eval").__path__[0])


def documentation_files() -> Mapping[str, str]:
    """The name of the file that describes the functions of each class."""
    files = module("constants.executable_backend_config").MULTI_TURN_FUNC_DOC_FILE_MAPPING
    return cast("Mapping[str, str]", files)


def make_instance(class_name: str, scenario: object, *, long_context: bool) -> object:
    """A new instance of a class of tools in the state that a task starts from.

    Args:
        class_name: For example `GorillaFileSystem`.
        scenario: That state, as the task describes it; the instance's from now on.
        long_context: Whether the state is filled up with what nobody asked for.
    """
    instance = _class(class_name)()
    if class_name not in module("constants.executable_backend_config").STATELESS_CLASSES:
        instance._load_scenario(scenario, long_context=long_context)  # noqa: SLF001 (no other way)
    return instance


@functools.cache
def _class(name: str) -> Any:
    backend = module("constants.executable_backend_config")
    with _not_imported("subprocess"):
        return getattr(import_module(backend.CLASS_FILE_PATH_MAPPING[name]), name)


@contextlib.contextmanager
def _not_imported(name: str) -> Generator[None]:
    """Let an import of a module that nobody uses find an empty one.

    The file system imports `subprocess`, and with it `threading`, which after every fork renews
    what it has: a third of a millisecond, and copies of a hundred pages, in each process.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = ModuleType(name)
    try:
        yield
    finally:
        del sys.modules[name]


@functools.cache
def public_methods(of_class: type) -> frozenset[str]:
    """The names of the methods that an agent may call."""
    members = inspect.getmembers(of_class, inspect.isfunction)
    return frozenset(name for name, _ in members if not name.startswith("_"))


def states_match(instances: Mapping[str, object], expected: Mapping[str, object]) -> bool:
    """The package's verdict on the states after a turn."""
    return bool(module(_CHECKER).state_checker(instances, expected)["valid"])


def responses_match(responses: Sequence[str], expected: Sequence[str], turn: int) -> bool:
    """The package's verdict on the responses.

    Args:
        responses: To all calls so far.
        expected: To the calls that the turn asks for.
        turn: The turn's index.
    """
    verdict = module(_CHECKER).response_checker(list(responses), list(expected), turn)
    return bool(verdict["valid"])


def behaviour_in_turns() -> str:
    """What the package tells a model about turns."""
    templates = module("constants.default_prompts").PROMPT_STYLE_TEMPLATES
    return cast("str", templates["classic"]["multiturn_behavior"])


def more_functions() -> str:
    """What the user says in the turn in which missing functions appear."""
    prompts = module("constants.default_prompts")
    return cast("str", prompts.DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC)
