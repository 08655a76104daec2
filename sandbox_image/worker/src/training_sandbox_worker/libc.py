"""Calls of the kernel that Python has no name for."""

import ctypes
import os
from collections.abc import Callable, Sequence

Argument = int | ctypes.Array[ctypes.c_char]
"""An integer, or a buffer that is passed by its address."""

Call = Callable[[], int]
"""Returns what the kernel does; raises OSError when it refuses."""

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
    return prepare_system_call(name, number, *arguments)()


def prepare_system_call(name: str, number: int, *arguments: Argument) -> Call:
    """A system call, see `system_call`, that is made ready now and done when it is called.

    What ctypes makes of arguments takes longer than most calls, and is the same in each forked
    process.
    """
    return _prepare(name, _syscall, (number, *arguments))


def prepare(name: str, *arguments: Argument) -> Call:
    """The same of a function of the C library that returns an int, negative when it failed."""
    return _prepare(name, _libc[name], arguments)


def _prepare(name: str, function: Callable[..., int], arguments: Sequence[Argument]) -> Call:
    words = tuple(map(_word, arguments))

    def _call() -> int:
        return _checked(name, function(*words))

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
