"""Operators as processes that are killed, stopped and started again as a kubelet would do it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from benchmarks.control_plane import free_port
from tests.support.api_proxy import ApiProxy

REPOSITORY = Path(__file__).resolve().parents[3]
# Users roll a pool by giving it another image.
_CATALOGUE = """
environments: {faults: {image: faults, startupSeconds: 600}}
allowed: {images: ["*"]}
"""
_RESTART_PAUSE_SECONDS = 0.3


class Zygote:
    """The process that operators are forked from."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._started: asyncio.Queue[tuple[int, asyncio.Future[int]]] = asyncio.Queue()
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._starting = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Zygote]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.faults.support.zygote",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=REPOSITORY,
        )
        zygote = cls(process)
        listening = asyncio.create_task(zygote._listen())
        try:
            yield zygote
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
            await listening

    async def fork(
        self, arguments: list[str], environment: dict[str, str], log: Path
    ) -> tuple[int, asyncio.Future[int]]:
        """Start an operator; returns its PID and its end: its exit code, or minus a signal."""
        request = {"arguments": arguments, "environment": environment, "log": str(log)}
        assert self._process.stdin is not None
        async with self._starting:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            return await self._started.get()

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            what, pid, *rest = line.split()
            if what == b"started":
                end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                self._ends[int(pid)] = end
                self._started.put_nowait((int(pid), end))
            else:
                self._ends.pop(int(pid)).set_result(int(rest[0]))


class Command:
    """Starts operators by their command, as processes that begin from nothing.

    Args:
        environment: variables beside those of this process.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._waiting: set[asyncio.Task[None]] = set()

    async def fork(
        self, arguments: list[str], environment: dict[str, str], log: Path
    ) -> tuple[int, asyncio.Future[int]]:
        """Start an operator; returns its PID and its end, as a Zygote does."""
        with log.open("ab") as target:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "training_sandbox_operator"),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=target,
                stderr=target,
                env={**os.environ, **self._environment, **environment},
            )
        end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def wait() -> None:
            end.set_result(await process.wait())

        task = asyncio.create_task(wait())
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return process.pid, end


class Operator:
    """One replica: it is started again whenever it has ended.

    Attributes:
        started_at: when its present life began, by a monotonic clock.
        lives: how often it was started.
        kills: how often it was killed.
        exits: the exit codes with which it has ended by itself.
    """

    def __init__(
        self, launcher: Zygote | Command, proxy: ApiProxy, folder: Path, name: str, *options: str
    ) -> None:
        self._launcher = launcher
        self._arguments = [*options, "--health-port", str(free_port())]
        self._log = folder / f"{name}.log"
        self._environment = {"KUBECONFIG": str(folder / f"{name}.kubeconfig")}
        self._pid: int | None = None
        self._up = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self.proxy = proxy
        self.started_at = 0.0
        self.lives = 0
        self.kills = 0
        self.exits: list[int] = []

    async def start(self) -> None:
        """Start it, and keep it running."""
        self._keeping = asyncio.create_task(self._keep_running())
        await self._up.wait()

    async def stop(self) -> None:
        """Kill it, and leave it."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._pid is not None:
            self._signal(signal.SIGKILL)
            self._pid = None
            self._up.clear()

    def kill(self) -> None:
        """Kill it now, if it runs."""
        if self._pid is not None:
            self.kills += 1
            self._signal(signal.SIGKILL)
            self._pid = None
            self._up.clear()

    def end(self) -> None:
        """Ask it to end, as a kubelet does."""
        self._signal(signal.SIGTERM)

    def last_words(self) -> str:
        """Return what it has logged last in all its lives, but for what is in order."""
        lines = self._log.read_text().splitlines()
        return "\n".join([line for line in lines if " INFO " not in line][-20:])

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def is_up(self) -> bool:
        """Whether a process runs that was not killed yet."""
        return self._up.is_set()

    async def until_up(self) -> None:
        """Wait until a process runs that was not killed yet."""
        await self._up.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)

    async def _keep_running(self) -> None:
        while True:
            self.started_at = time.monotonic()
            pid, end = await self._launcher.fork(self._arguments, self._environment, self._log)
            self._pid = pid
            self.lives += 1
            self._up.set()
            code = await asyncio.shield(end)
            # A process takes a second to start, or waits for the lease of the former one: what
            # that has sent has arrived by then.
            await self.proxy.until_idle()
            if self._pid == pid:
                self._pid = None
                self._up.clear()
            if code >= 0:
                self.exits.append(code)
                await asyncio.sleep(_RESTART_PAUSE_SECONDS)


def write_settings(folder: Path, name: str, proxy: ApiProxy, token: str) -> Path:
    """Write the kubeconfig of an operator behind a proxy, and the catalogue; returns the latter."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": proxy.address}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    (folder / f"{name}.kubeconfig").write_text(yaml.safe_dump(document))
    # Each has its own: one of all would be written again while another operator reads it.
    catalogue = folder / f"{name}.catalogue.yaml"
    catalogue.write_text(_CATALOGUE)
    return catalogue
