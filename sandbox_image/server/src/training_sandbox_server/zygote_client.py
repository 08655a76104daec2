"""The server's side of the zygote: start it, and let running episodes fork under its eyes."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from training_sandbox_server import frames
from training_sandbox_server.child_process import ChildProcess, manner
from training_sandbox_server.forker import Forker, ForkError, channels, set_result
from training_sandbox_server.reaper import ChildReaper
from training_sandbox_worker import wire

_STOP_SECONDS = 7.0


class BootError(Exception):
    """The zygote did not come up.

    Attributes:
        usage: Whether the settings are at fault, so that starting again will not help.
    """

    def __init__(self, message: str, *, usage: bool) -> None:
        super().__init__(message)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class Hello:
    """What the zygote says of its environment, and of what confines its processes."""

    environment: str
    splits: dict[str, list[str]]
    tools: str
    confinement: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PermittedFork:
    """What a process that is about to fork gets, see `Zygote.branch`.

    Attributes:
        channel: The process's own new channel; the caller's, who hands it to the process's
            `ChildProcess` or closes it.
        branches: Each branch, when it comes.
    """

    channel: socket.socket
    branches: "Sequence[asyncio.Task[ChildProcess]]"

    def abandon(self) -> None:
        """Take none of the branches; those that have come are killed, whoever talks to them."""
        for branch in self.branches:
            if not branch.cancel() and not branch.cancelled() and branch.exception() is None:
                branch.result().abandon()


class Zygote(Forker):
    """A running zygote.

    Attributes:
        hello: Its environment.
    """

    def __init__(self, control: socket.socket, pid: int, exited: "asyncio.Future[int]") -> None:
        super().__init__("zygote", control)
        self.hello = Hello("", {}, "")
        self._pid = pid
        self._exited = exited
        self._permits: dict[int, asyncio.Future[bool]] = {}

    @classmethod
    def start(
        cls,
        python: Path,
        environment: str,
        reaper: ChildReaper,
        *,
        jail: bool,
        memory_bytes: int,
    ) -> "Zygote":
        """Start the process; `boot` waits until it can fork.

        Args:
            python: The interpreter of the environment's venv.
            environment: Its name, see `training_sandbox_worker.discovery`.
            reaper: Waits for the process.
            jail: Whether its processes are confined.
            memory_bytes: What an episode's process may map beyond what it was forked with.

        Raises:
            BootError: The interpreter cannot be run.
        """
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        # -P: nothing is imported from the working directory.
        command = [str(python), "-P", "-m", "training_sandbox_worker"]
        command += ["--environment", environment, "--control-fd", str(theirs.fileno())]
        command += ["--memory-mb", str(memory_bytes >> 20), *([] if jail else ["--no-jail"])]
        try:
            with theirs:
                process = subprocess.Popen(  # noqa: S603 (an administrator's setting)
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=2,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            raise BootError(
                f"{python} cannot be run: {error.strerror}; SANDBOX_ENVIRONMENT_PYTHON names the "
                "interpreter of the environment's venv",
                usage=True,
            ) from error
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
            frame = await frames.read(reader, of_any_number=True)
            if frame["kind"] == "boot_failed":
                usage = wire.field(frame, "unknown", bool)
                raise BootError(wire.field(frame, "reason", str), usage=usage)
            self.hello = _hello(frame)
        except (*frames.DISCONNECTED, wire.WireError) as error:
            writer.close()
            how = manner(await self._exited)
            raise BootError(f"the zygote {how} before it was ready", usage=False) from error
        self.listen(reader, writer)

    async def branch(self, pid: int, count: int) -> PermittedFork:
        """Let a process fork; it is still to be asked to.

        Args:
            pid: A process of an episode.
            count: How often.

        Raises:
            ForkError: It may not.
        """
        pairs = channels(count + 1)
        expected = [self._expect() for _ in range(count)]
        try:
            await self._ask_permit(
                pid, [number for number, _, _ in expected], [theirs for _, theirs in pairs]
            )
        except BaseException:
            for number, _, _ in expected:
                self._expect_no_more(number)
            for ours, _ in pairs:
                ours.close()
            raise
        finally:
            for _, theirs in pairs:
                theirs.close()
        branches = [
            asyncio.create_task(self._branch(number, forked, exited, ours))
            for (number, forked, exited), (ours, _) in zip(expected, pairs[1:], strict=True)
        ]
        return PermittedFork(pairs[0][0], branches)

    async def _ask_permit(
        self, pid: int, numbers: Sequence[int], channels: Sequence[socket.socket]
    ) -> None:
        permitted = self._permits[pid] = asyncio.get_running_loop().create_future()
        try:
            frame: wire.Frame = {"kind": "branch", "pid": pid, "processes": list(numbers)}
            await self._send(frame, *(channel.fileno() for channel in channels))
            if not await permitted:
                raise ForkError("an episode cannot fork here")
        finally:
            self._permits.pop(pid, None)

    async def stop(self) -> None:
        """End the zygote and with it every process below it."""
        self._control.close()
        if not self._exited.done():
            os.kill(self._pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._exited), _STOP_SECONDS)
        self._fail_waiting()

    async def _branch(
        self,
        number: int,
        forked: "asyncio.Future[int]",
        exited: "asyncio.Future[int | None]",
        channel: socket.socket,
    ) -> ChildProcess:
        try:
            return await ChildProcess.of(self._forked(number, await forked, channel, exited))
        except BaseException:
            channel.close()
            self._kill(number)
            self._expect_no_more(number)
            raise
        finally:
            self._forking.pop(number, None)

    def _handle(self, frame: wire.Frame) -> None:
        match frame:
            case {"kind": "permitted" | "not_permitted" as kind, "pid": int(pid)}:
                set_result(self._permits.get(pid), kind == "permitted")
            case _:
                super()._handle(frame)

    def _fail_waiting(self) -> None:
        super()._fail_waiting()
        for permitted in self._permits.values():
            set_result(permitted, False)


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
        confinement=wire.mapping(frame, "confinement"),
    )
