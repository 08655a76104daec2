"""JSON as the API server has it: quickly where that can be, and whatever it may hold."""

import json
import resource
import sys
from typing import Any

import orjson

# https://github.com/kubernetes-sigs/json takes so many levels; a copy of one takes two calls.
_DEEPEST = 10_000
_CALLS_A_LEVEL = 4
_STACK_BYTES = 128 * 2**20


def allow_deep_objects() -> None:
    """Make room on the stack for the deepest object that the API server takes.

    Else a user's ``params`` of a thousand levels would end the process, and its next life too.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    soft = _STACK_BYTES if hard == resource.RLIM_INFINITY else min(hard, _STACK_BYTES)
    resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
    sys.setrecursionlimit(_DEEPEST * _CALLS_A_LEVEL)


def encode(value: object) -> bytes:
    """Return a value as JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # It is deep, or has half of a surrogate pair, as a server's last words may: JSON can tell
        # of one, UTF-8 cannot.
        return json.dumps(value).encode()


def decode(text: bytes | str) -> Any:
    """Return what a text says.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)
