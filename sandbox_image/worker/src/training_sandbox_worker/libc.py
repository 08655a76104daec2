"""Calls of the kernel that Python has no name for."""

import ctypes
import os
from collections.abc import Callable

Argument = int | ctypes.Array[ctypes.c_char]
"""An integer, or a buffer that is passed by its address."""

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


def system_call(name: str, number: int, *arguments: Argument) -> int:
    """Do a system call that the C library has no function for.

    Args:
        name: What an error calls it.
        number: Its number on this architecture.
        arguments: As the call has them.

    Raises:
        OSError: The kernel refused.
    """
    return _checked(name, _syscall(ctypes.c_long(number), *map(_word, arguments)))


def function(name: str) -> Callable[..., int]:
    """A function of the C library that returns an int, negative when it failed.

    It is looked up now, and not in each forked process. It takes what `system_call` takes and
    raises OSError.
    """
    found = _libc[name]

    def _call(*arguments: Argument) -> int:
        return _checked(name, found(*map(_word, arguments)))

    return _call


def buffer(content: bytes) -> ctypes.Array[ctypes.c_char]:
    """A buffer of just these bytes."""
    return ctypes.create_string_buffer(content, len(content))


def _word(argument: Argument) -> ctypes.c_long | ctypes.Array[ctypes.c_char]:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def _checked(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result
