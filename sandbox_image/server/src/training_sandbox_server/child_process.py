"""One process forked by the zygote, as the server sees it."""

import asyncio
import contextlib
import signal
from collections.abc import Callable

from training_sandbox_server import frames
from training_sandbox_worker import wire

_CLOSE_SECONDS = 2.0
_END_SECONDS = 10.0
_REPORT_SECONDS = 0.5


class ProcessGoneError(Exception):
    """The process ended, or what it wrote makes no sense; either way it cannot be talked to."""


class ChildProcess:
    """A process that answers one frame at a time on its channel.

    Args:
        pid: For the log only: the zygote alone knows whether it still is this process.
        channel: The server's end of its socket pair.
        kill: Asks the zygote to SIGKILL the process with its session.
        exited: Its exit code, once it ended and what it left behind was killed; None when the
            zygote itself ended.
    """

    def __init__(
        self,
        *,
        pid: int,
        channel: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        kill: Callable[[], None],
        exited: "asyncio.Future[int | None]",
    ) -> None:
        self.pid = pid
        self.kill = kill
        self.exited = exited
        self._reader, self._writer = channel

    async def request(self, frame: wire.Frame, seconds: float) -> wire.Frame:
        """Send a frame and wait for its answer.

        Raises:
            TimeoutError: No answer in time; the process is as it was, and should be killed.
            ProcessGoneError: No answer will come.
            wire.WireError: The frame cannot be sent; nothing was.
        """
        content = wire.encode(frame)
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(content)
                await self._writer.drain()
                return await frames.read(self._reader)
        except frames.DISCONNECTED as error:
            raise ProcessGoneError(await self._manner_of_end()) from error
        except wire.WireError as error:
            raise ProcessGoneError(f"process {self.pid} wrote no answer: {error}") from error

    async def _manner_of_end(self) -> str:
        try:
            code = await asyncio.wait_for(asyncio.shield(self.exited), _REPORT_SECONDS)
        except TimeoutError:
            return f"process {self.pid} closed its channel"
        return f"process {self.pid} {manner(code)}"

    async def close(self) -> None:
        """Let the process close its episode and end; kill it if it does not do so soon."""
        with contextlib.suppress(*frames.DISCONNECTED, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await frames.write(self._writer, {"kind": "close"})
                await asyncio.shield(self.exited)
        await self.end()

    async def end(self) -> None:
        """Kill the process and wait until it is gone (or, stuck in the kernel, will be)."""
        if not self.exited.done():
            self.kill()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self.exited), _END_SECONDS)
        # Not before: its last answer may still be unread when its exit is reported.
        self._writer.close()


def manner(code: int | None) -> str:
    """How a process ended, in words.

    Args:
        code: Its exit code, negative for the signal that ended it; None if nobody knows.
    """
    if code is None:
        return "ended with its zygote"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"exited with {code}"
