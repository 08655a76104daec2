"""Notifications of a seccomp filter: a jailed process asks, whoever holds the listener decides.

The jailed process is stopped in a system call meanwhile. It may be killed at any time: whatever is
answered then is lost, silently. The listener is readable when somebody asks; poll reports its end
(POLLHUP) when no process is left that it could hear of.
"""

import contextlib
import errno
import fcntl
import functools
import os
import signal
import struct
from collections.abc import Generator
from dataclasses import dataclass

from training_sandbox_worker import libc
from training_sandbox_worker.jail import seccomp, system_calls

# struct seccomp_notif: id, pid, flags; then number, architecture, instruction, six arguments.
_REQUEST = struct.Struct("=QII iIQ6Q")
_RESPONSE = struct.Struct("=QqiI")
_ADD_DESCRIPTOR = struct.Struct("=QIIII")


def _ioctl_number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("!") << 8 | number


_WRITE, _READ_WRITE = 1, 3
_RECEIVE = _ioctl_number(_READ_WRITE, 0, _REQUEST.size)
_SEND = _ioctl_number(_READ_WRITE, 1, _RESPONSE.size)
_ADD = _ioctl_number(_WRITE, 3, _ADD_DESCRIPTOR.size)
_CONTINUE = 1
_ADD_AND_SEND = 2


@dataclass(frozen=True, slots=True)
class Notification:
    """A call that waits for an answer.

    Attributes:
        id: What the answer names.
        pid: The calling thread, in the listener's PID namespace.
        is_process: It wants to start a process.
        is_thread: It wants to start a thread.
        is_gate_call: It wants a descriptor.
        argument: The first of the call; of a gate call what `gate_call` was given.
    """

    id: int
    pid: int
    is_process: bool
    is_thread: bool
    is_gate_call: bool
    argument: int


def receive(listener: int) -> Notification | None:
    """The next call that waits, waiting for one; None: its caller was killed meanwhile."""
    buffer = bytearray(_REQUEST.size)
    with _caller_may_be_gone():
        fcntl.ioctl(listener, _RECEIVE, buffer)
        return _notification(buffer)
    return None


def allow(listener: int, id: int) -> None:  # noqa: A002 (the kernel's name of it)
    """Let the call go on as if nobody had been asked."""
    _respond(listener, _RESPONSE.pack(id, 0, 0, _CONTINUE))


def deny(listener: int, id: int, errno: int) -> None:  # noqa: A002 (the same)
    """Let the call fail."""
    _respond(listener, _RESPONSE.pack(id, 0, -errno, 0))


def answer_with_descriptor(listener: int, id: int, descriptor: int) -> None:  # noqa: A002 (the same)
    """Give the caller a copy of a descriptor, closed on exec; the call returns its number.

    Raises:
        OSError: The descriptor is not open, or the caller cannot have more (EMFILE): it still
            waits.
    """
    request = _ADD_DESCRIPTOR.pack(id, _ADD_AND_SEND, descriptor, 0, os.O_CLOEXEC)
    with _caller_may_be_gone(), _no_signals():
        fcntl.ioctl(listener, _ADD, request)


def gate_call(argument: int = 0) -> int:
    """In a jailed process: a descriptor, as the listener's holder decides.

    Args:
        argument: What the holder is told, from 0; it cannot trust it.

    Raises:
        OSError: It was refused, or nobody listens.
    """
    number = seccomp.call_number(system_calls.GATE_CALL)
    return libc.system_call("gate call", number, argument, 0)


def _notification(buffer: bytearray) -> Notification:
    fields: tuple[int, ...] = _REQUEST.unpack(buffer)
    id_, pid, _, number, _, _, argument, *_ = fields
    numbers = _numbers()
    is_clone = number == numbers.clone
    is_thread = is_clone and bool(argument & system_calls.CLONE_THREAD)
    return Notification(
        id=id_,
        pid=pid,
        is_process=(is_clone and not is_thread) or number == numbers.fork,
        is_thread=is_thread,
        is_gate_call=number == numbers.gate,
        argument=argument,
    )


@dataclass(frozen=True, slots=True)
class _Numbers:
    clone: int
    fork: int
    gate: int


@functools.cache
def _numbers() -> _Numbers:
    number = seccomp.call_number
    return _Numbers(number("clone"), number("fork"), number(system_calls.GATE_CALL))


def _respond(listener: int, response: bytes) -> None:
    with _caller_may_be_gone(), _no_signals():
        fcntl.ioctl(listener, _SEND, response)


@contextlib.contextmanager
def _no_signals() -> Generator[None]:
    """Keep signals waiting: an answer with a descriptor that one interrupts counts as given.

    The caller would go on without the descriptor, and could be answered no more.
    """
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)


@contextlib.contextmanager
def _caller_may_be_gone() -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
