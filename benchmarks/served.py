"""A real server process and its verbs."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.connections import Connections
from benchmarks.figures import BenchmarkError
from training_sandbox_conformance.server_process import ServerProcess

_CALL_SECONDS = 300


class Served:
    """A server that is ready, and the verbs.

    Attributes:
        ready_s: From the start of the process until episodes could be created.
    """

    def __init__(self, process: ServerProcess, connections: Connections) -> None:
        self.ready_s = process.ready_seconds
        self._process = process
        self._connections = connections

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
        return await self.send(episode, {"role": "assistant", "content": action}, **body)

    async def send(
        self, episode: str, message: Mapping[str, object], **body: object
    ) -> dict[str, Any]:
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
            status, answer = await self._connections.post(f"/{verb}", body)
        except OSError as error:
            raise BenchmarkError(f"/{verb}: {error!r}; see {self._process.log}") from error
        if not answer.get("success"):
            raise BenchmarkError(f"/{verb} of {body}: {status} {answer}; see {self._process.log}")
        return answer["data"]

    def processes(self) -> list[psutil.Process]:
        """The server and all below it."""
        return self._process.processes()


@asynccontextmanager
async def serve(settings: Mapping[str, str], log: Path) -> AsyncGenerator[Served]:
    """A server of its own; in the end it and all that it started are gone.

    Args:
        settings: Environment variables beside the inherited ones.
        log: Takes what the server logs.

    Raises:
        ServerFailedError: It does not start.
    """
    inherited = {name: value for name, value in os.environ.items() if "SANDBOX_" not in name}
    with ServerProcess({**inherited, **settings}, log) as process:
        await asyncio.to_thread(process.wait_until_ready)
        connections = Connections(process.url, _CALL_SECONDS)
        try:
            yield Served(process, connections)
        finally:
            connections.close()
