"""A task that is open in a process, which the task's episodes are forked from."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import cast

from training_sandbox_server import frames
from training_sandbox_server.errors import InvalidRequestError
from training_sandbox_server.forker import ForkedProcess, Forker, ForkError
from training_sandbox_server.memory_use import private_bytes
from training_sandbox_worker import wire

_END_SECONDS = 0.25


class TemplateError(Exception):
    """The task could not be opened; the text is the reason in one line, for the log."""


class Template(Forker):
    """A process that has a task open.

    Attributes:
        memory_bytes: What it holds beside what it shares with the zygote, when it was made.
        uses: How many processes were asked of it.
    """

    def __init__(self, process: ForkedProcess) -> None:
        super().__init__("template", process.channel)
        self.memory_bytes = 0
        self.uses = 0
        self._process = process
        self._retired = False

    @classmethod
    async def make(cls, forker: Forker, task: Mapping[str, object], seconds: float) -> "Template":
        """Open a task in a process that is forked for it.

        Raises:
            InvalidRequestError: The environment does not take the params.
            ForkError: There is no process.
            TimeoutError: It takes too long.
            TemplateError: The environment failed.
        """
        async with asyncio.timeout(seconds):
            template = cls(await forker.fork())
            try:
                await template._open(task)
                await template._measure()
            except BaseException:
                template.kill()
                raise
        return template

    async def fork(self) -> ForkedProcess:
        """A process in which the task is open.

        Raises:
            ForkError: There is none.
        """
        self.uses += 1
        try:
            return await super().fork()
        finally:
            self._end_if_unused()

    def retire(self) -> None:
        """End once nothing that was forked from it lives."""
        self._retired = True
        self._end_if_unused()

    def kill(self) -> None:
        """End now, and with it all that was forked from it."""
        self._control.close()
        self._process.kill()

    async def wait(self) -> None:
        """Wait until the process has ended, for a moment."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._process.exited), _END_SECONDS)

    async def _open(self, task: Mapping[str, object]) -> None:
        try:
            channel = self._control.dup()
        except OSError as error:
            raise ForkError(f"no channel can be had: {error.strerror}") from error
        reader, writer = await asyncio.open_unix_connection(sock=channel)
        try:
            await frames.write(writer, {"kind": "template", "task": task})
            answer = await frames.read(reader)
        except (*frames.DISCONNECTED, wire.WireError) as error:
            writer.close()
            raise TemplateError("its process ended") from error
        match answer:
            case {"kind": "opened"}:
                self.listen(reader, writer)
            case {"kind": "invalid", "detail": str(detail)}:
                writer.close()
                raise InvalidRequestError(detail)
            case _:
                writer.close()
                raise TemplateError(str(cast("object", answer.get("reason"))))

    async def _measure(self) -> None:
        try:
            self.memory_bytes = await asyncio.to_thread(private_bytes, self._process.pid)
        except RuntimeError as error:
            raise ForkError(f"a template cannot be measured: {error}") from error

    def _handle(self, frame: wire.Frame) -> None:
        super()._handle(frame)
        self._end_if_unused()

    def _end_if_unused(self) -> None:
        if self._retired and self.children == 0:
            self._control.close()
            self._process.kill()
