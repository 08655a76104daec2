"""The server's side of a fork server: ask it for processes, hear of their ends."""

import asyncio
import contextlib
import functools
import itertools
import logging
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TypeVar

from training_sandbox_server import frames
from training_sandbox_server.logs import about
from training_sandbox_worker import wire

_Value = TypeVar("_Value")

log = logging.getLogger(__name__)


class ForkError(Exception):
    """No process can be had: the fork server could not fork, or is gone."""


@dataclass(frozen=True, slots=True)
class ForkedProcess:
    """A process, as the one who asked for it gets it.

    Attributes:
        pid: For the log, and to name it to the zygote while it lives.
        channel: The server's end of its socket pair, not blocking.
        kill: Asks for a SIGKILL of the process; what it started is killed when it has ended.
        exited: Its exit code, once it has ended; None where nobody knows the code.
    """

    pid: int
    channel: socket.socket
    kill: Callable[[], None]
    exited: "asyncio.Future[int | None]"


class Forker:
    """A connected fork server, see `training_sandbox_worker.fork_server`.

    Attributes:
        gone: Set when it has ended; it is not started again.

    Args:
        name: For the log.
        control: The connection, not blocking.
    """

    def __init__(self, name: str, control: socket.socket) -> None:
        self.gone = asyncio.Event()
        self._name = name
        self._control = control
        self._sending = asyncio.Lock()
        self._numbers = itertools.count()
        self._forking: dict[int, asyncio.Future[int]] = {}
        self._living: dict[int, asyncio.Future[int | None]] = {}
        self._pings: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def children(self) -> int:
        """How many processes it has that have not ended."""
        return len(self._living)

    async def fork(self) -> ForkedProcess:
        """A new process.

        Raises:
            ForkError: There is none.
        """
        ((ours, theirs),) = channels(1)
        number, forked, exited = self._expect()
        try:
            with theirs:
                await self._send({"kind": "fork", "process": number}, theirs.fileno())
        except BaseException:
            ours.close()
            self._expect_no_more(number)
            raise
        try:
            pid = await forked
        except BaseException:
            ours.close()
            self._kill(number)
            raise
        finally:
            self._forking.pop(number, None)
        return self._forked(number, pid, ours, exited)

    async def ping(self, seconds: float) -> bool:
        """Whether it answers in time."""
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._send({"kind": "ping"})
                # Not before: what was not sent is not answered, and each answer is the next one's.
                self._pings.append(answered)
                await answered
        except (TimeoutError, ForkError):
            return False
        return True

    def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear what it says from now on.

        Args:
            reader: Reads the connection.
            writer: Closed when it is gone.
        """
        self._start_task(self._listen(reader, writer))

    def _expect(
        self,
    ) -> tuple[int, "asyncio.Future[int]", "asyncio.Future[int | None]"]:
        """The number of a process to come, and the futures of its pid and its exit code."""
        number = next(self._numbers)
        loop = asyncio.get_running_loop()
        self._forking[number], self._living[number] = loop.create_future(), loop.create_future()
        return number, self._forking[number], self._living[number]

    def _expect_no_more(self, number: int) -> None:
        self._forking.pop(number, None)
        set_result(self._living.pop(number, None), None)

    def _forked(
        self, number: int, pid: int, channel: socket.socket, exited: "asyncio.Future[int | None]"
    ) -> ForkedProcess:
        return ForkedProcess(pid, channel, functools.partial(self._kill, number), exited)

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
            raise ForkError(f"the {self._name} is gone") from error

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self._handle(await frames.read(reader))
        except (*frames.DISCONNECTED, wire.WireError):
            log.info("fork server gone", extra=about(name=self._name))
        finally:
            writer.close()
            self._fail_waiting()
            self.gone.set()

    def _handle(self, frame: wire.Frame) -> None:
        match frame:
            case {"kind": "forked", "process": int(number), "pid": int(pid)}:
                set_result(self._forking.get(number), pid)
            case {"kind": "fork_failed", "process": int(number), "reason": str(reason)}:
                set_result(self._living.pop(number, None), None)
                forked = self._forking.get(number)
                if forked is not None and not forked.done():
                    forked.set_exception(ForkError(reason))
            case {"kind": "exited", "process": int(number), "code": int() | None as code}:
                set_result(self._living.pop(number, None), code)
            case {"kind": "pong"} if self._pings:
                set_result(self._pings.pop(0), None)
            case _:
                raise wire.WireError(f"an unexpected {frame.get('kind')} frame")

    def _fail_waiting(self) -> None:
        for forked in self._forking.values():
            if not forked.done():
                forked.set_exception(ForkError(f"the {self._name} is gone"))
        for exited in self._living.values():
            set_result(exited, None)
        self._living.clear()

    def _start_task(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def channels(count: int) -> list[tuple[socket.socket, socket.socket]]:
    """Socket pairs, the server's end of each first; that one is not blocking.

    Raises:
        ForkError: There are not as many descriptors.
    """
    pairs: list[tuple[socket.socket, socket.socket]] = []
    try:
        for _ in range(count):
            pairs.append(socket.socketpair())
            pairs[-1][0].setblocking(False)
    except OSError as error:
        for end in itertools.chain.from_iterable(pairs):
            end.close()
        raise ForkError(f"no channel can be had: {error.strerror}") from error
    return pairs


def set_result(future: "asyncio.Future[_Value] | None", value: _Value) -> None:
    """Set the result of a future that may be done already, or not exist."""
    if future is not None and not future.done():
        future.set_result(value)
