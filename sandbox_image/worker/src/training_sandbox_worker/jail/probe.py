"""What the kernel and the container let a jail do, by trying it in processes of its own."""

import contextlib
import os
import select
import socket
from collections.abc import Callable
from typing import NoReturn

from training_sandbox_worker.jail import (
    confinement,
    landlock,
    notifications,
    privileges,
    seccomp,
    system_calls,
)
from training_sandbox_worker.jail.confinement import Confinement

_PATIENCE_MS = 10_000


def probe() -> Confinement:
    """Try each protection in a forked child. This process must have one thread."""
    no_landlock = _failure(_enter_landlock)
    no_seccomp = _failure(_enter_seccomp)
    no_gate = no_seccomp or _gate_failure()
    abi = 0 if no_landlock else landlock.abi()
    missing = [confinement.lacking_landlock(abi, no_landlock, seccomp=not no_seccomp)]
    if no_seccomp:
        missing.append(confinement.lacking_seccomp(no_seccomp))
    elif no_gate:
        missing.append(confinement.lacking_fork_gate(no_gate))
    return Confinement(
        landlock_abi=abi,
        seccomp=not no_seccomp,
        fork_gate=not no_gate,
        missing=tuple(sentence for sentence in missing if sentence),
    )


def _enter_landlock() -> None:
    privileges.no_new_privileges()
    abi = landlock.abi()
    landlock.restriction(abi, landlock.create_ruleset(abi, readable=(), writable=()))()
    try:
        os.listdir("/")  # noqa: PTH208 (nothing to iterate over)
    except PermissionError:
        return
    raise OSError("it denies nothing")


def _enter_seccomp() -> None:
    _install(gated=False)
    try:
        os.setsid()
    except PermissionError:
        return
    raise OSError("it denies nothing")


def _gate_failure() -> str:
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def _answer() -> None:
            theirs.close()
            _, listeners, _, _ = socket.recv_fds(ours, 1, 1)
            for listener in listeners:
                try:
                    _serve(listener, ours.fileno())
                finally:
                    # Whoever still waits is refused.
                    os.close(listener)

        return _failure(lambda: _ask(theirs), meanwhile=_answer)


def _ask(channel: socket.socket) -> None:
    listener = _install(gated=True)
    assert listener is not None  # noqa: S101 (it was asked for)
    socket.send_fds(channel, [b"!"], [listener])
    os.close(listener)
    os.close(notifications.gate_call())
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _serve(listener: int, descriptor: int) -> None:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while any(event & select.POLLIN for _, event in poll.poll(_PATIENCE_MS)):
        notification = notifications.receive(listener)
        if notification is None:
            continue
        if notification.is_gate_call:
            notifications.answer_with_descriptor(listener, notification.id, descriptor)
        else:
            notifications.allow(listener, notification.id)


def _install(*, gated: bool) -> int | None:
    privileges.no_new_privileges()
    rules = system_calls.rules(gated=gated)
    program = seccomp.compile_program(rules, otherwise=system_calls.OTHERWISE)
    return seccomp.install(program, listen=gated)


def _failure(attempt: Callable[[], None], meanwhile: Callable[[], None] = lambda: None) -> str:
    """Why an attempt in a forked child failed; empty: it did not."""
    reader, writer = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw", strict=True))
    with reader, writer:
        try:
            child = os.fork()
        except OSError as error:
            return _reason(error)
        if child == 0:
            _attempt(attempt, writer.fileno())
        writer.close()
        with contextlib.suppress(OSError):
            meanwhile()
        reason = reader.read()
    _, status = os.waitpid(child, 0)
    return reason or ("" if status == 0 else f"wait status {status}")


def _attempt(attempt: Callable[[], None], writer: int) -> NoReturn:
    status = 1
    try:
        attempt()
        status = 0
    except BaseException as error:  # noqa: BLE001 (whatever it is, it is told)
        os.write(writer, _reason(error).encode())
    finally:
        os._exit(status)


def _reason(error: BaseException) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
