"""The zygote: the process that loads an environment once and is above all of its processes."""

import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from training_sandbox_worker import process, wire
from training_sandbox_worker.child import Jobs
from training_sandbox_worker.discovery import UnknownEnvironmentError, find
from training_sandbox_worker.environment import Environment
from training_sandbox_worker.failure import one_line
from training_sandbox_worker.fork_gate import ForkGate, Registrar
from training_sandbox_worker.fork_server import ForkServer, settle
from training_sandbox_worker.huge_pages import use_huge_pages
from training_sandbox_worker.jail import probe
from training_sandbox_worker.jails import Jails

EXIT_FAILED = 1

_LOOKS_FOR_STRAYS_SECONDS = 1.0


def run(name: str, control: socket.socket, parent: int, *, memory_bytes: int, jailed: bool) -> int:
    """Load the environment, say `hello` on the control socket, then fork until its end.

    A failure to load is answered by `boot_failed`; its traceback goes to stderr, which is the
    pod's log.

    Args:
        name: The environment, see `discovery.find`.
        control: The connection to the server.
        parent: The server's process id.
        memory_bytes: See `Jails`.
        jailed: Whether its processes are confined, as far as they can be here.

    Returns:
        The exit status.
    """
    process.die_with_parent(signal.SIGTERM, parent)
    process.adopt_orphans()
    registrar = Registrar()
    confinement = probe() if jailed else None
    try:
        environment = _load(name)
        jails = Jails(environment, registrar, memory_bytes=memory_bytes, confinement=confinement)
        hello = _hello(environment, jails)
    except UnknownEnvironmentError as error:
        return _refuse(control, str(error), unknown=True)
    except Exception as error:  # noqa: BLE001 (whatever it is, the server must hear of it)
        traceback.print_exc()
        return _refuse(control, one_line(error), unknown=False)
    # Before it says that it can fork: the first episode would wait for seconds.
    settle()
    use_huge_pages()
    wire.send(control, hello)
    Zygote(control, Jobs(environment, jails).run, registrar, filtered=jails.filtered).serve()
    return 0


class Zygote(ForkServer):
    """The fork server that is above all others.

    Everything that processes leave behind becomes its child, and is killed; but not branches, which
    live on when the episode that they come from ends. Beside the frames of a fork server it takes
    `branch`, with the new channels of the episode and its branches, and answers `permitted` or
    `not_permitted`; each branch is `forked` (or `fork_failed`) then.

    Args:
        control: The connection to the owner.
        job: See `ForkServer`.
        registrar: Where processes announce their gates.
        filtered: Whether processes can start none by themselves; otherwise, what one leaves behind
            is looked for as soon as it has ended. To look takes milliseconds.
    """

    def __init__(
        self,
        control: socket.socket,
        job: Callable[[socket.socket], None],
        registrar: Registrar,
        *,
        filtered: bool,
    ) -> None:
        super().__init__(control, job)
        self._gate = ForkGate(registrar, self._report, self._poll)
        self._filtered = filtered
        self._looked_at = _now()
        self._wakes_up_after_ms = _LOOKS_FOR_STRAYS_SECONDS * 1000

    def _handle_events(self, events: Sequence[tuple[int, int]]) -> None:
        if _now() - self._looked_at >= _LOOKS_FOR_STRAYS_SECONDS:
            self._kill_strays()
        own = (self._wakeup, self._control.fileno())
        for descriptor, event in events:
            if descriptor not in own:
                if event & select.POLLIN:
                    self._gate.handle(descriptor)
                elif event & (select.POLLHUP | select.POLLERR):
                    self._gate.hang_up(descriptor)
        super()._handle_events(events)

    def _handle_frame(self, frame: wire.Frame | None, descriptors: Sequence[int]) -> None:
        match frame:
            case {"kind": "branch", "pid": int(pid)}:
                numbers = cast("list[int]", wire.field(frame, "processes", list))
                permitted = self._gate.permit(pid, numbers, descriptors)
                kind = "permitted" if permitted else "not_permitted"
                self._report({"kind": kind, "pid": pid})
            case _:
                super()._handle_frame(frame, descriptors)

    def _forget_parent(self) -> None:
        super()._forget_parent()
        self._gate.leave_to_parent()

    def _kill(self, number: int) -> None:
        if not self._gate.kill(number):
            super()._kill(number)

    def _forget(self, pid: int, code: int) -> int | None:
        self._gate.ended(pid, code)
        return super()._forget(pid, code)

    def _clean_up(self) -> None:
        if not self._filtered:
            self._kill_strays()

    def _kill_strays(self) -> None:
        self._looked_at = _now()
        for pid in process.children(os.getpid()):
            if pid not in self._processes and not self._gate.knows(pid):
                process.kill_child(pid)


def _now() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def _load(name: str) -> Environment:
    environment = find(name)()
    environment.preload()
    threads = process.thread_names()
    if len(threads) > 1:
        raise RuntimeError(
            f"preload left {len(threads)} threads ({', '.join(threads)}); a fork keeps only one"
        )
    return environment


def _hello(environment: Environment, jails: Jails) -> wire.Frame:
    return {
        "kind": "hello",
        "environment": environment.name,
        "splits": _plain(environment.splits()),
        "tools": environment.tools(),
        "confinement": jails.report,
    }


def _plain(splits: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {split: list(task_ids) for split, task_ids in splits.items()}


def _refuse(control: socket.socket, reason: str, *, unknown: bool) -> int:
    wire.send(control, {"kind": "boot_failed", "reason": reason, "unknown": unknown})
    return EXIT_FAILED
