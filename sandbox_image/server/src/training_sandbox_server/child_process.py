"""One process forked by the zygote, as the server sees it."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Coroutine
from typing import TypeVar

from training_sandbox_server import frames
from training_sandbox_server.forker import ForkedProcess
from training_sandbox_worker import wire

_Result = TypeVar("_Result")

_CLOSE_SECONDS = 2.0
_END_SECONDS = 10.0
_REPORT_SECONDS = 0.5


class ProcessGoneError(Exception):
    """The process ended, or what it wrote makes no sense; either way it cannot be talked to."""


class ChildProcess:
    """A process that answers one frame at a time on its channel.

    Attributes:
        pid: See `ForkedProcess`.
        exited: See `ForkedProcess`.
    """

    def __init__(
        self, process: ForkedProcess, channel: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        self.pid = process.pid
        self.exited = process.exited
        self._process = process
        self._reader, self._writer = channel

    @classmethod
    async def of(cls, process: ForkedProcess) -> "ChildProcess":
        """A forked process as one that is talked to."""
        return cls(process, await asyncio.open_unix_connection(sock=process.channel))

    async def move_to(self, channel: socket.socket) -> None:
        """Go on with a new channel, which is this object's then; the old one is closed."""
        old = self._writer
        self._reader, self._writer = await asyncio.open_unix_connection(sock=channel)
        old.close()

    async def while_it_lives(self, work: Coroutine[object, object, _Result]) -> _Result:
        """What work comes to that is for nothing when the process ends; it is cancelled then.

        Raises:
            ProcessGoneError: It has ended.
        """
        working = asyncio.create_task(work)
        try:
            await asyncio.wait({working, self.exited}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ProcessGoneError(f"process {self.pid} {manner(self.exited.result())}")
            return working.result()
        finally:
            working.cancel()

    async def tell(self, frame: wire.Frame) -> None:
        """Send a frame that is answered elsewhere, or not at all.

        Raises:
            ProcessGoneError: Nobody is there to read it.
        """
        try:
            await frames.write(self._writer, frame)
        except frames.DISCONNECTED as error:
            raise ProcessGoneError(await self._manner_of_end()) from error

    async def hear(self, seconds: float) -> wire.Frame:
        """The next frame that it sends.

        Raises:
            TimeoutError, ProcessGoneError: See `request`.
        """
        async with asyncio.timeout(seconds):
            return await self._hear()

    async def _hear(self) -> wire.Frame:
        try:
            return await frames.read(self._reader)
        except frames.DISCONNECTED as error:
            raise ProcessGoneError(await self._manner_of_end()) from error
        except wire.WireError as error:
            raise ProcessGoneError(f"process {self.pid} wrote no answer: {error}") from error

    async def request(self, frame: wire.Frame, seconds: float) -> wire.Frame:
        """Send a frame and wait for its answer.

        Raises:
            TimeoutError: No answer in time; the process is as it was, and should be killed.
            ProcessGoneError: No answer will come.
            wire.WireError: The frame cannot be sent; nothing was.
        """
        content = wire.encode(frame)
        async with asyncio.timeout(seconds):
            try:
                await frames.write_encoded(self._writer, content)
            except frames.DISCONNECTED as error:
                raise ProcessGoneError(await self._manner_of_end()) from error
            return await self._hear()

    async def _manner_of_end(self) -> str:
        try:
            code = await asyncio.wait_for(asyncio.shield(self.exited), _REPORT_SECONDS)
        except TimeoutError:
            return f"process {self.pid} closed its channel"
        return f"process {self.pid} {manner(code)}"

    async def close(self) -> None:
        """Let the process close its episode and end; kill it if it does not do so soon."""
        with contextlib.suppress(*frames.DISCONNECTED):
            await frames.write(self._writer, {"kind": "close"})
        await self.let_end()

    async def let_end(self) -> None:
        """Wait for a process that has nothing left to do; kill it if it does not end soon."""
        await asyncio.wait({self.exited}, timeout=_CLOSE_SECONDS)
        await self.end()

    def abandon(self) -> None:
        """Kill the process and hear no more of it; nobody waits for its end."""
        self._process.kill()
        self._writer.close()

    async def end(self) -> None:
        """Kill the process and wait until it is gone (or, stuck in the kernel, will be)."""
        if not self.exited.done():
            self._process.kill()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.exited), _END_SECONDS)
        # Not before: its last answer may still be unread when its exit is reported.
        self._writer.close()


def manner(code: int | None) -> str:
    """How a process ended, in words.

    Args:
        code: Its exit code, negative for the signal that ended it; None if nobody knows: it was a
            branch of an episode that lives, or its fork server ended.
    """
    if code is None:
        return "ended, nobody knows how"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"exited with {code}"
