"""Trajectories that are nearly a ground truth: each way to spoil one, always in the same way."""

import ast
import random
from collections.abc import Callable, Mapping

Turns = list[list[str]]
Spoil = Callable[[Turns, random.Random], None]


def _drop(turns: Turns, choose: random.Random) -> None:
    calls = _some_turn(turns, choose)
    calls.pop(choose.randrange(len(calls)))


def _reorder(turns: Turns, choose: random.Random) -> None:
    calls = _some_turn(turns, choose)
    if len(calls) > 1:
        choose.shuffle(calls)
    else:
        choose.choice(turns).append(calls.pop())


def _alter(turns: Turns, choose: random.Random) -> None:
    calls = _some_turn(turns, choose)
    position = choose.randrange(len(calls))
    call = ast.parse(calls[position], mode="eval").body
    assert isinstance(call, ast.Call)
    values = [node for node in ast.walk(call) if isinstance(node, ast.Constant)]
    if values:
        value = choose.choice(values)
        value.value = _another(value.value)
    else:
        call.keywords.append(ast.keyword("unknown", ast.Constant(1)))
    calls[position] = ast.unparse(call)


def _add(turns: Turns, choose: random.Random) -> None:
    calls = _some_turn(turns, choose)
    call = choose.choice([*calls, "pwd()", "ls(a=True)", "no_such_function(1)", "cd(", "cd()"])
    choose.choice(turns).insert(0, call)


def _empty(turns: Turns, choose: random.Random) -> None:
    _some_turn(turns, choose).clear()


def _cut(turns: Turns, choose: random.Random) -> None:
    del turns[choose.randrange(1, len(turns) + 1) :]


WAYS: Mapping[str, Spoil] = {
    "drop": _drop,
    "reorder": _reorder,
    "alter": _alter,
    "add": _add,
    "empty": _empty,
    "cut": _cut,
}


def spoiled(task_id: str, truth: Turns, way: str) -> Turns:
    """A copy of a ground truth, spoiled in one of the `WAYS`."""
    turns = [list(calls) for calls in truth]
    WAYS[way](turns, random.Random(f"{task_id} {way}"))
    return turns


def _some_turn(turns: Turns, choose: random.Random) -> list[str]:
    return choose.choice([calls for calls in turns if calls])


def _another(value: object) -> object:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
        case _:
            return "x"
