"""Seccomp filters: rules compiled by libseccomp to a program, which a process installs for good."""

import ctypes
import errno
import functools
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from training_sandbox_worker import libc

ALLOW = 0x7FFF_0000
NOTIFY = 0x7FC0_0000
_KILL_PROCESS = 0x8000_0000
_ERRNO = 0x0005_0000

_COMPARE_MASKED = 7
_ATTRIBUTE_OTHER_ARCHITECTURE = 2
_ATTRIBUTE_OPTIMIZE = 8
_BINARY_TREE = 2

_SET_MODE_FILTER = 1
_NEW_LISTENER = 1 << 3
_WAIT_KILLABLE = 1 << 5
_INSTRUCTION_BYTES = 8
_LARGEST_PROGRAM = 4096 * _INSTRUCTION_BYTES


def refuse(number: int) -> int:
    """The action that lets a call fail with an errno."""
    return _ERRNO | number


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds when an argument of the call, counted from 0, has a value in the bits of a mask."""

    argument: int
    mask: int
    value: int


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to one system call when all conditions hold.

    Attributes:
        call: Its name, or its number where libseccomp may not know the name. A name that this
            architecture does not have is skipped.
    """

    call: str | int
    action: int
    conditions: tuple[Condition, ...] = ()


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def call_number(name: str) -> int:
    """The number of a system call on this architecture; negative: it has none of that name.

    Raises:
        OSError: libseccomp is not installed.
    """
    return int(_library().seccomp_syscall_resolve_name(name.encode()))


def compile_program(rules: Iterable[Rule], *, otherwise: int) -> bytes:
    """The BPF program of some rules.

    Calls of another architecture than the interpreter's kill the process.

    Args:
        rules: At most one holds for each call and its arguments, and their actions differ from
            `otherwise`.
        otherwise: The action for all other calls.

    Raises:
        OSError: libseccomp is not installed, or it does not know the kernel to support an action.
    """
    library = _library()
    context = library.seccomp_init(otherwise)
    if not context:
        raise OSError(errno.EINVAL, "seccomp_init failed")
    try:
        attributes = {
            _ATTRIBUTE_OTHER_ARCHITECTURE: _KILL_PROCESS,
            _ATTRIBUTE_OPTIMIZE: _BINARY_TREE,
        }
        for attribute, value in attributes.items():
            _check("seccomp_attr_set", library.seccomp_attr_set(context, attribute, value))
        for rule in rules:
            _add(context, rule)
        return _export(context)
    finally:
        library.seccomp_release(context)


class Filter:
    """A program, ready to be installed in a forked process.

    Args:
        program: See `compile_program`.
        listen: Whether calls are to be notified; without a listener they fail with ENOSYS.
    """

    def __init__(self, program: bytes, *, listen: bool) -> None:
        self._listen = listen
        self._instructions = libc.buffer(program)
        count = len(program) // _INSTRUCTION_BYTES
        header = struct.pack("HP", count, ctypes.addressof(self._instructions))
        description = libc.buffer(header)

        def call(flags: int) -> libc.Call:
            number = call_number("seccomp")
            return libc.prepare_system_call("seccomp", number, _SET_MODE_FILTER, flags, description)

        self._install = call(_NEW_LISTENER | _WAIT_KILLABLE if listen else 0)
        self._install_before_linux_5_19 = call(_NEW_LISTENER)

    def install(self) -> int | None:
        """Hold this thread, and all that it starts, to the program. `no_new_privs` must be set.

        Returns:
            The descriptor that notifications are received from, or None.

        Raises:
            OSError: The kernel refused.
        """
        if not self._listen:
            self._install()
            return None
        try:
            return self._install()
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        # A signal makes the call notify once more.
        return self._install_before_linux_5_19()


def install(program: bytes, *, listen: bool) -> int | None:
    """Install a program that is not needed again, see `Filter`."""
    return Filter(program, listen=listen).install()


def _add(context: int, rule: Rule) -> None:
    number = rule.call if isinstance(rule.call, int) else call_number(rule.call)
    if number < 0:
        return
    comparisons = (_Comparison * len(rule.conditions))(
        *((each.argument, _COMPARE_MASKED, each.mask, each.value) for each in rule.conditions)
    )
    result = _library().seccomp_rule_add_array(
        context, rule.action, number, len(comparisons), comparisons
    )
    _check(f"seccomp_rule_add({rule.call})", result)


def _export(context: int) -> bytes:
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        # A program of the largest size fits into a pipe's buffer.
        _check("seccomp_export_bpf", _library().seccomp_export_bpf(context, writer))
        return os.read(reader, _LARGEST_PROGRAM)
    finally:
        os.close(reader)
        os.close(writer)


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libseccomp.so.2")
    context, word = ctypes.c_void_p, ctypes.c_uint32
    library.seccomp_init.restype = context
    library.seccomp_init.argtypes = [word]
    library.seccomp_release.argtypes = [context]
    library.seccomp_attr_set.argtypes = [context, ctypes.c_int, word]
    library.seccomp_rule_add_array.argtypes = [
        context,
        word,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Comparison),
    ]
    library.seccomp_export_bpf.argtypes = [context, ctypes.c_int]
    library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    return library


def _check(call: str, result: int) -> None:
    if result < 0:
        raise OSError(-result, f"{call}: {os.strerror(-result)}")
