"""A real server process and a client of it that costs little.

The client is aiohttp: half a millisecond of processor time a call, where httpx takes three.
"""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import psutil

from benchmarks.figures import BenchmarkError

_READY_SECONDS = 300
_CALL_SECONDS = 300
_STOP_SECONDS = 60


class Served:
    """A server that is ready, and the verbs.

    Attributes:
        ready_s: From the start of the process until episodes could be created.
    """

    def __init__(self, process: "_Process", http: aiohttp.ClientSession) -> None:
        self.ready_s = 0.0
        self._process = process
        self._http = http

    async def create(self, task_id: str, **body: object) -> str:
        data = await self.call("create", task_id=task_id, **body)
        return str(data["info"]["instance_id"])

    async def create_group(self, task_id: str, n: int) -> list[str]:
        data = await self.call("create_group", task_id=task_id, n=n)
        return [str(one["info"]["instance_id"]) for one in data["episodes"]]

    async def fork(self, episode: str, n: int = 1) -> list[str]:
        data = await self.call("fork", instance_id=episode, n=n)
        return [str(one["info"]["instance_id"]) for one in data["episodes"]]

    async def execute(self, episode: str, code: str) -> str:
        """A step of AppWorld; returns what the code printed."""
        data = await self.act(episode, f"```python\n{code}\n```")
        return str(data["state"][0]["content"])

    async def act(self, episode: str, action: str, **body: object) -> dict[str, Any]:
        message = {"role": "assistant", "content": action}
        return await self.call("step", instance_id=episode, messages=message, **body)

    async def evaluate(self, episode: str) -> float:
        return float(await self.call("evaluate", instance_id=episode))

    async def release(self, *episodes: str) -> None:
        await asyncio.gather(*(self.call("release", instance_id=one) for one in episodes))

    async def status(self) -> dict[str, Any]:
        return await self.call("status")

    async def call(self, verb: str, **body: object) -> Any:
        """The data of an answer.

        Raises:
            BenchmarkError: The answer is an error.
        """
        try:
            async with self._http.post(f"/{verb}", json=body) as response:
                answer = await response.json()
        except aiohttp.ClientError as error:
            raise BenchmarkError(f"/{verb}: {error!r}; see {self._process.log}") from error
        if not answer.get("success"):
            raise BenchmarkError(
                f"/{verb} of {body}: {response.status} {answer}; see {self._process.log}"
            )
        return answer["data"]

    def processes(self) -> list[psutil.Process]:
        """The server and all below it."""
        server = psutil.Process(self._process.popen.pid)
        return [server, *server.children(recursive=True)]

    async def wait_until_ready(self, begin: float) -> None:
        while self._process.popen.poll() is None and time.monotonic() - begin < _READY_SECONDS:
            with contextlib.suppress(aiohttp.ClientError):
                async with self._http.get("/readyz") as response:
                    if response.status == 200:
                        self.ready_s = time.monotonic() - begin
                        return
            await asyncio.sleep(0.02)
        raise BenchmarkError(f"the server did not become ready:\n{self._process.end_of_log}")


@asynccontextmanager
async def serve(settings: Mapping[str, str], log: Path) -> AsyncGenerator[Served]:
    """A server of its own; in the end it and all that it started are gone.

    Args:
        settings: Environment variables beside the inherited ones.
        log: Takes what the server logs.

    Raises:
        BenchmarkError: It does not start.
    """
    inherited = {name: value for name, value in os.environ.items() if "SANDBOX_" not in name}
    begin = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as state,
        _Process({**inherited, "SANDBOX_STATE_DIR": state, **settings}, log) as process,
    ):
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        url = await asyncio.to_thread(process.announced_url)
        async with aiohttp.ClientSession(url, timeout=timeout, connector=connector) as http:
            served = Served(process, http)
            await served.wait_until_ready(begin)
            yield served


class _Process:
    """The server's process."""

    def __init__(self, environ: Mapping[str, str], log: Path) -> None:
        self._environ = environ
        self.log = log

    def __enter__(self) -> Self:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "training_sandbox_server"],
                env={**self._environ, "SANDBOX_HOST": "127.0.0.1", "SANDBOX_PORT": "0"},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    @property
    def end_of_log(self) -> str:
        return "\n".join(self.log.read_text().splitlines()[-15:])

    def announced_url(self) -> str:
        assert self.popen.stdout is not None
        found = re.search(r"http://\S+", self.popen.stdout.readline())
        if found is None:
            self.popen.wait(_STOP_SECONDS)
            raise BenchmarkError(f"the server did not start:\n{self.end_of_log}")
        return found.group()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()


def pss_mb(processes: Sequence[psutil.Process]) -> float:
    """The memory of processes, each shared page counted once in all, in MB (10^6 bytes).

    Raises:
        BenchmarkError: The kernel does not tell this user.
    """
    total = 0
    for process in processes:
        try:
            rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        except PermissionError as error:
            raise BenchmarkError(
                f"the memory of process {process.pid} cannot be read; run as root"
            ) from error
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += next(int(row.split()[1]) for row in rollup.splitlines() if row[:4] == "Pss:")
    return total * 1024 / 1e6
