"""The package's own executor and checkers.

The executor and the checker of multi-turn tasks keep instances in the globals of their module, by a
name that the caller gives: a name that was used before means an instance in the state that it was
left in. So each use has a name of its own, and its instances are taken away after it.
"""

import ast
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import SimpleNamespace

from bfcl_eval.constants.enums import Language
from bfcl_eval.eval_checker.multi_turn_eval import multi_turn_checker, multi_turn_utils

from training_sandbox_bfcl import library
from training_sandbox_bfcl.data import TaskData
from training_sandbox_bfcl.single_turn.tasks import SingleTurnTask

Turns = Sequence[Sequence[str]]

_NUMBERS = itertools.count()

MODELS: Mapping[str, SimpleNamespace] = {
    "dotted": SimpleNamespace(underscore_to_dot=False),
    "underscored": SimpleNamespace(underscore_to_dot=True),
}
"""Whether a model was offered functions with dots in their names, or with underscores instead."""


def accepts(task: TaskData, truth: Turns, turns: Turns) -> bool:
    """The verdict of `multi_turn_checker` on a trajectory; a turn's calls are one step."""
    if len(turns) != len(truth):
        return False
    steps = [[list(calls)] if calls else [] for calls in turns]
    entry = {
        "id": task.id,
        "initial_config": json.loads(task.initial_config),
        "involved_classes": list(task.classes),
    }
    with _instances_of_its_own() as name:
        verdict = multi_turn_checker.multi_turn_checker(
            steps, [list(calls) for calls in truth], entry, "", name
        )
    return bool(verdict["valid"])


def execute(task: TaskData, calls: Sequence[str]) -> list[str]:
    """What `execute_multi_turn_func_call` tells a model of some calls."""
    with _instances_of_its_own() as name:
        results, _ = multi_turn_utils.execute_multi_turn_func_call(
            list(calls),
            json.loads(task.initial_config),
            list(task.classes),
            name,
            task.id,
            long_context=task.long_context,
        )
    return results


@contextmanager
def _instances_of_its_own() -> Iterator[str]:
    namespace = vars(multi_turn_utils)
    before = set(namespace)
    yield f"use{next(_NUMBERS)}"
    for name in set(namespace) - before:
        del namespace[name]


def accepts_answer(
    task: SingleTurnTask,
    truth: object,
    answer: str | Sequence[tuple[str, str]],
    *,
    model: str = "dotted",
) -> bool:
    """The verdict of `eval_runner` on an answer of a model that makes OpenAI's tool calls.

    Args:
        task: The task.
        truth: The ground truth; unused where there is none.
        answer: A text; or calls, each a name and the text of its arguments.
        model: One of `MODELS`.
    """
    try:
        # As `OpenAICompletionsHandler.decode_ast` does.
        decoded: object = [{name: json.loads(arguments)} for name, arguments in answer]
    except ValueError:
        decoded = None
    if task.category.endswith("relevance"):
        called = not _RULES["is_empty_output"](decoded)
        return called != ("irrelevance" in task.category)
    if not _RULES["is_function_calling_format_output"](decoded):
        return False
    ast_checker = library._ast_checker()
    ast_checker.__globals__["MODEL_CONFIG_MAPPING"].update(MODELS)
    functions, python = list(task.functions), Language.PYTHON
    return bool(ast_checker(functions, decoded, truth, python, task.category, model)["valid"])


def _functions(*names: str) -> Mapping[str, Callable[[object], bool]]:
    """Functions of `bfcl_eval.utils`, which makes folders when it is imported."""
    source = (library.package_folder() / "utils.py").read_text()
    wanted = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name in names
    ]
    namespace: dict[str, Callable[[object], bool]] = {}
    exec(compile(ast.Module(wanted, []), "utils.py", "exec"), namespace)
    return namespace


_RULES = _functions("is_empty_output", "is_function_calling_format_output")
