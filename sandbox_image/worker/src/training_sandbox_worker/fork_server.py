"""A single-threaded parent of forked processes: it forks on request, kills, reaps and reports.

Frames of the control socket, from its owner: `fork` (with the child's channel as a descriptor),
`kill`, `ping`. To its owner: `forked` or `fork_failed`, then once, when the process has ended,
`exited`; `pong`. A process is named by the number that its owner chose (`process`), never by its
pid: only the parent knows whether a pid still is that process.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from training_sandbox_worker import process, wire

_STOP_SECONDS = 5.0
_HANDLED = (signal.SIGCHLD, signal.SIGTERM)


def settle() -> None:
    """Keep what was loaded shared: neither collector nor allocator may touch it in the children."""
    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()
    gc.freeze()
    process.return_free_memory()


def _wake_up(*_: object) -> None:
    """Let the wakeup pipe, which the interpreter writes to, interrupt the poll."""


class ForkServer:
    """Forks processes that run one function each, in a session of their own.

    Args:
        control: The connection to the owner.
        job: What a forked process does with its channel; the process ends when it returns.
    """

    def __init__(self, control: socket.socket, job: Callable[[socket.socket], None]) -> None:
        self._control = control
        self._job = job
        self._processes: dict[int, int] = {}
        self._stopping = False
        self._wakeup, self._wakeup_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._wakes_up_after_ms: float | None = None

    def serve(self) -> None:
        """Serve until the owner closes the control socket or SIGTERM, then kill all processes."""
        self._handle_signals()
        self._poll.register(self._control, select.POLLIN)
        self._poll.register(self._wakeup, select.POLLIN)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, wire.WireError):
            while not self._stopping:
                self._handle_events(self._poll.poll(self._wakes_up_after_ms))
        process.kill_descendants(_STOP_SECONDS)

    def _handle_events(self, events: Sequence[tuple[int, int]]) -> None:
        # Nothing here makes more objects than it must: after a fork, each page that this process
        # writes to is copied.
        ready = dict(events)
        if self._wakeup in ready:
            # What is left of more signals wakes it up once more.
            os.read(self._wakeup, 4096)
            self._reap()
        if self._control.fileno() in ready:
            self._handle_frame(*wire.receive_with_descriptors(self._control))

    def _handle_signals(self) -> None:
        signal.set_wakeup_fd(self._wakeup_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _wake_up)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _handle_frame(self, frame: wire.Frame | None, descriptors: Sequence[int]) -> None:
        match frame:
            case {"kind": "fork", "process": int(number)}:
                self._fork(number, descriptors)
            case {"kind": "kill", "process": int(number)}:
                self._kill(number)
            case {"kind": "ping"}:
                self._report({"kind": "pong"})
            case _:
                self._stopping = True

    def _fork(self, number: int, descriptors: Sequence[int]) -> None:
        (channel,) = descriptors
        parent = os.getpid()
        # One between fork and reset would be written into the wakeup pipe of both processes.
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            pid = os.fork()
            if pid == 0:
                self._become_child(parent, channel, unblocked)
            self._processes[pid] = number
        except OSError as error:
            self._report({"kind": "fork_failed", "process": number, "reason": str(error)})
        else:
            self._report({"kind": "forked", "process": number, "pid": pid})
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            os.close(channel)

    def _become_child(self, parent: int, channel: int, unblocked: Iterable[int]) -> NoReturn:
        status = 1
        try:
            os.setsid()
            process.die_with_parent(signal.SIGKILL, parent)
            self._forget_parent()
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            self._job(socket.socket(fileno=channel))
            status = 0
        finally:
            # Neither exit handlers nor buffered output of the parent belong to this process.
            os._exit(status)

    def _forget_parent(self) -> None:
        signal.set_wakeup_fd(-1)
        self._processes.clear()
        for number in (*_HANDLED, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self._control.close()
        os.close(self._wakeup)
        os.close(self._wakeup_in)
        # Agent code can print without end to descriptors 1 and 2: not into the pod's log.
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        os.close(nowhere)

    def _kill(self, number: int) -> None:
        for pid, owned in self._processes.items():
            if owned == number:
                process.kill_child(pid)

    def _reap(self) -> None:
        ended: list[wire.Frame] = []
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                code = os.waitstatus_to_exitcode(status)
                number = self._forget(pid, code)
                if number is not None:
                    ended.append({"kind": "exited", "process": number, "code": code})
        self._clean_up()
        for frame in ended:
            self._report(frame)

    def _forget(self, pid: int, code: int) -> int | None:  # noqa: ARG002 (the zygote reports it)
        """The number of a process that was reaped, if it was forked by this one."""
        return self._processes.pop(pid, None)

    def _clean_up(self) -> None:
        """Kill what ended processes left behind, if it falls to this process."""

    def _report(self, frame: wire.Frame) -> None:
        wire.send(self._control, frame)
