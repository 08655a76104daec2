"""Answers that are nearly right: each way to spoil one, always in the same way."""

import json
import random
from collections.abc import Callable, Mapping, Sequence

Calls = list[tuple[str, str]]
"""The function's name, and the text of its arguments, of each call."""

Spoil = Callable[[Calls, Sequence[str], random.Random], Calls | str]


def _drop(calls: Calls, offered: Sequence[str], choose: random.Random) -> Calls:
    dropped = choose.randrange(len(calls))
    return [call for index, call in enumerate(calls) if index != dropped]


def _repeat(calls: Calls, offered: Sequence[str], choose: random.Random) -> Calls:
    return [*calls, choose.choice(calls)]


def _reorder(calls: Calls, offered: Sequence[str], choose: random.Random) -> Calls:
    return choose.sample(calls, len(calls))


def _rename(calls: Calls, offered: Sequence[str], choose: random.Random) -> Calls:
    name = choose.choice([*offered, "no_such_function", "print", ""])
    return _with_one(calls, choose, lambda _, arguments: (name, arguments))


def _alter(calls: Calls, offered: Sequence[str], choose: random.Random) -> Calls:
    return _with_argument(calls, choose, lambda value: _another(value, choose))


def _retype(calls: Calls, offered: Sequence[str], choose: random.Random) -> Calls:
    other = choose.choice([str, lambda value: [value], lambda value: {"a": value}, lambda _: None])
    return _with_argument(calls, choose, other)


def _rewrite(calls: Calls, offered: Sequence[str], choose: random.Random) -> Calls:
    """In a way that the checker overlooks: case, spaces, punctuation."""
    return _with_argument(
        calls, choose, lambda value: f" {value.upper()}." if isinstance(value, str) else value
    )


def _omit(calls: Calls, offered: Sequence[str], choose: random.Random) -> Calls:
    def without_one(arguments: dict[str, object]) -> None:
        if arguments:
            del arguments[choose.choice(list(arguments))]

    return _with_arguments(calls, choose, without_one)


def _add(calls: Calls, offered: Sequence[str], choose: random.Random) -> Calls:
    return _with_arguments(calls, choose, lambda arguments: arguments.update(unknown=1))


def _cut(calls: Calls, offered: Sequence[str], choose: random.Random) -> Calls:
    return _with_one(calls, choose, lambda name, arguments: (name, arguments[:-1]))


def _no_object(calls: Calls, offered: Sequence[str], choose: random.Random) -> Calls:
    return _with_one(calls, choose, lambda name, arguments: (name, f"[{arguments}]"))


def _text(calls: Calls, offered: Sequence[str], choose: random.Random) -> str:
    return choose.choice(["None of these.", *(f"{name}({given})" for name, given in calls)])


WAYS: Mapping[str, Spoil] = {
    "drop": _drop,
    "repeat": _repeat,
    "reorder": _reorder,
    "rename": _rename,
    "alter": _alter,
    "retype": _retype,
    "rewrite": _rewrite,
    "omit": _omit,
    "add": _add,
    "cut": _cut,
    "no object": _no_object,
    "text": _text,
}


def spoiled(task_id: str, calls: Calls, offered: Sequence[str], way: str) -> Calls | str:
    """A copy of some calls, spoiled in one of the `WAYS`.

    Args:
        task_id: Makes what is chosen the same each time.
        calls: What is spoiled; there is one at least.
        offered: The names of the functions of the task.
        way: How.
    """
    return WAYS[way](calls, offered, random.Random(f"{task_id} {way}"))


def _with_one(
    calls: Calls, choose: random.Random, change: Callable[[str, str], tuple[str, str]]
) -> Calls:
    changed = choose.randrange(len(calls))
    return [change(*call) if index == changed else call for index, call in enumerate(calls)]


def _with_arguments(
    calls: Calls, choose: random.Random, change: Callable[[dict[str, object]], None]
) -> Calls:
    def changed(name: str, text: str) -> tuple[str, str]:
        arguments = json.loads(text)
        change(arguments)
        return name, json.dumps(arguments)

    return _with_one(calls, choose, changed)


def _with_argument(
    calls: Calls, choose: random.Random, change: Callable[[object], object]
) -> Calls:
    def with_another(arguments: dict[str, object]) -> None:
        if arguments:
            name = choose.choice(list(arguments))
            arguments[name] = change(arguments[name])

    return _with_arguments(calls, choose, with_another)


def _another(value: object, choose: random.Random) -> object:
    match value:
        case bool():
            return not value
        case int() | float():
            return choose.choice([value + 1, -value, float(value)])
        case str():
            return choose.choice([f"{value}x", value[1:], ""])
        case list():
            return choose.choice([value[1:], value[::-1], [*value, "x"], [_inner(value, choose)]])
        case dict():
            return {key: _another(inner, choose) for key, inner in value.items()}
        case _:
            return "x"


def _inner(value: list[object], choose: random.Random) -> object:
    return _another(choose.choice(value), choose) if value else "x"
