"""The server's side of the zygote: start it, ask for processes, hear of their ends."""

import asyncio
import contextlib
import functools
import itertools
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from training_sandbox_server import frames
from training_sandbox_server.child_process import ChildProcess, manner
from training_sandbox_server.logs import about
from training_sandbox_server.reaper import ChildReaper
from training_sandbox_worker import wire

_STOP_SECONDS = 7.0

_Value = TypeVar("_Value")

log = logging.getLogger(__name__)


class BootError(Exception):
    """The zygote did not come up.

    Attributes:
        usage: Whether the settings are at fault, so that starting again will not help.
    """

    def __init__(self, message: str, *, usage: bool) -> None:
        super().__init__(message)
        self.usage = usage


class ForkError(Exception):
    """The zygote could not fork, or is gone."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What the zygote says of its environment."""

    environment: str
    splits: dict[str, list[str]]
    tools: str


class Zygote:
    """A running zygote.

    Attributes:
        hello: Its environment.
        gone: Set when it has ended; it is not started again.
    """

    def __init__(self, control: socket.socket, pid: int, exited: "asyncio.Future[int]") -> None:
        self.hello = Hello("", {}, "")
        self.gone = asyncio.Event()
        self._control = control
        self._pid = pid
        self._exited = exited
        self._sending = asyncio.Lock()
        self._numbers = itertools.count()
        self._forking: dict[int, asyncio.Future[int]] = {}
        self._living: dict[int, asyncio.Future[int | None]] = {}
        self._pings: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    def start(cls, python: Path, environment: str, reaper: ChildReaper) -> "Zygote":
        """Start the process; `boot` waits until it can fork.

        Raises:
            BootError: The interpreter cannot be run.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        descriptor = str(theirs.fileno())
        # -P: nothing is imported from the working directory, where agent code may write.
        command = [str(python), "-P", "-m", "training_sandbox_worker"]
        try:
            with theirs:
                process = subprocess.Popen(  # noqa: S603 (an administrator's setting)
                    [*command, "--environment", environment, "--control-fd", descriptor],
                    stdin=subprocess.DEVNULL,
                    stdout=2,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            raise BootError(f"{python} cannot be run: {error.strerror}", usage=True) from error
        exited = reaper.watch(process.pid)
        # The reaper waits for it; the object must not.
        process.returncode = 0
        return cls(ours, process.pid, exited)

    async def boot(self) -> None:
        """Wait until the environment is loaded.

        Raises:
            BootError: It could not be.
        """
        reader, writer = await asyncio.open_unix_connection(sock=self._control.dup())
        try:
            frame = await frames.read(reader)
            if frame["kind"] == "boot_failed":
                usage = wire.field(frame, "unknown", bool)
                raise BootError(wire.field(frame, "reason", str), usage=usage)
            self.hello = _hello(frame)
        except (*frames.DISCONNECTED, wire.WireError) as error:
            writer.close()
            how = manner(await self._exited)
            raise BootError(f"the zygote {how} before it was ready", usage=False) from error
        self._start_task(self._listen(reader, writer))

    async def fork(self) -> ChildProcess:
        """A new process.

        Raises:
            ForkError: There is none.
        """
        number = next(self._numbers)
        loop = asyncio.get_running_loop()
        forked: asyncio.Future[int] = loop.create_future()
        exited: asyncio.Future[int | None] = loop.create_future()
        self._forking[number], self._living[number] = forked, exited
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                await self._send({"kind": "fork", "process": number}, theirs.fileno())
            pid = await forked
        except BaseException:
            ours.close()
            self._living.pop(number, None)
            raise
        finally:
            self._forking.pop(number, None)
        return ChildProcess(
            pid=pid,
            channel=await asyncio.open_unix_connection(sock=ours),
            kill=functools.partial(self._kill, number),
            exited=exited,
        )

    async def ping(self, seconds: float) -> bool:
        """Whether the zygote answers in time."""
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pings.append(answered)
        try:
            async with asyncio.timeout(seconds):
                await self._send({"kind": "ping"})
                await answered
        except (TimeoutError, ForkError):
            return False
        return True

    async def stop(self) -> None:
        """End the zygote and with it every process below it."""
        self._control.close()
        if not self._exited.done():
            os.kill(self._pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._exited), _STOP_SECONDS)
        self._fail_waiting()

    def _kill(self, number: int) -> None:
        self._start_task(self._send_kill(number))

    async def _send_kill(self, number: int) -> None:
        with contextlib.suppress(ForkError):
            await self._send({"kind": "kill", "process": number})

    async def _send(self, frame: wire.Frame, *descriptors: int) -> None:
        try:
            async with self._sending:
                await frames.send_short(self._control, frame, *descriptors)
        except OSError as error:
            raise ForkError("the zygote is gone") from error

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self._handle(await frames.read(reader))
        except (*frames.DISCONNECTED, wire.WireError):
            log.info("zygote gone", extra=about(pid=self._pid))
        finally:
            writer.close()
            self._fail_waiting()
            self.gone.set()

    def _handle(self, frame: wire.Frame) -> None:
        match frame:
            case {"kind": "forked", "process": int(number), "pid": int(pid)}:
                _set(self._forking.get(number), pid)
            case {"kind": "fork_failed", "process": int(number), "reason": str(reason)}:
                forked = self._forking.get(number)
                if forked is not None and not forked.done():
                    forked.set_exception(ForkError(reason))
            case {"kind": "exited", "process": int(number), "code": int(code)}:
                _set(self._living.pop(number, None), code)
            case {"kind": "pong"} if self._pings:
                _set(self._pings.pop(0), None)
            case _:
                raise wire.WireError(f"the zygote sent an unexpected {frame.get('kind')} frame")

    def _fail_waiting(self) -> None:
        for forked in self._forking.values():
            if not forked.done():
                forked.set_exception(ForkError("the zygote is gone"))
        for exited in self._living.values():
            _set(exited, None)
        self._living.clear()

    def _start_task(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _set(future: "asyncio.Future[_Value] | None", value: _Value) -> None:
    if future is not None and not future.done():
        future.set_result(value)


def _hello(frame: wire.Frame) -> Hello:
    splits: dict[str, list[str]] = {}
    for split, task_ids in wire.mapping(frame, "splits").items():
        if not isinstance(task_ids, list):
            raise wire.WireError(f"split {split!r} is no list")
        splits[split] = [str(task_id) for task_id in cast("list[object]", task_ids)]
    return Hello(
        environment=wire.field(frame, "environment", str),
        splits=splits,
        tools=wire.field(frame, "tools", str),
    )
