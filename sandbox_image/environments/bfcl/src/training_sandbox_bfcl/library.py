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
from types import ModuleType, SimpleNamespace
from typing import Any, cast

Method = Callable[..., object]

_CHECKER = "eval_checker.multi_turn_eval.multi_turn_checker"
_MODELS = "bfcl_eval.constants.model_config"
_MODEL = "any"
"""The model whose answers the checker is told that it looks at."""


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


def answer_matches(
    category: str,
    functions: Sequence[object],
    calls: Sequence[Mapping[str, object]],
    expected: Sequence[object],
) -> bool:
    """The package's verdict on a single-turn answer.

    Args:
        category: For example `parallel`.
        functions: The package's descriptions of the functions that are offered.
        calls: As its decoders give them: the arguments by the name of the function, each.
        expected: The ground truth.
    """
    python = module("constants.enums").Language.PYTHON
    verdict = _ast_checker()(functions, calls, expected, python, category, _MODEL)
    return bool(verdict["valid"])


@functools.cache
def _ast_checker() -> Callable[..., Any]:
    # The module that the checker takes its models from imports the SDK of every vendor, none of
    # which is installed. The checker asks it one thing: whether the model was offered functions
    # without dots in their names. Here they are offered as they are.
    models = ModuleType(_MODELS)
    models.__dict__["MODEL_CONFIG_MAPPING"] = {_MODEL: SimpleNamespace(underscore_to_dot=False)}
    sys.modules[_MODELS] = models
    try:
        return module("eval_checker.ast_eval.ast_checker").ast_checker
    finally:
        del sys.modules[_MODELS]


def behaviour_in_turns() -> str:
    """What the package tells a model about turns."""
    return _prompt("multiturn_behavior")


def behaviour_in_one_turn() -> str:
    """What the package tells a model about a question that is answered by calls, or not at all."""
    return _prompt("task")


def more_functions() -> str:
    """What the user says in the turn in which missing functions appear."""
    prompts = module("constants.default_prompts")
    return cast("str", prompts.DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC)


def _prompt(part: str) -> str:
    templates = module("constants.default_prompts").PROMPT_STYLE_TEMPLATES
    return cast("str", templates["classic"][part])
