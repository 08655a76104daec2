"""The package's own executor and checker.

They keep instances in the globals of their module, by a name that the caller gives: a name that
was used before means an instance in the state that it was left in. So each use has a name of its
own, and its instances are taken away after it.
"""

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bfcl_eval.eval_checker.multi_turn_eval import multi_turn_checker, multi_turn_utils

from training_sandbox_bfcl.data import TaskData

Turns = Sequence[Sequence[str]]

_NUMBERS = itertools.count()


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
