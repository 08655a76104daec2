"""Starts `benchmarks.native_appworld` in the environment's venv, and talks to it."""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import BenchmarkError

_LINE_BYTES = 16 << 20


class Native:
    """A process that imported AppWorld; times are in milliseconds."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def open(self, task_id: str) -> float:
        return float((await self._ask("open", task_id=task_id))["ms"])

    async def execute(self, *codes: str) -> list[float]:
        """Execute steps; how long each took.

        Raises:
            BenchmarkError: The process ended, or the code of a step raised.
        """
        answer = await self._ask("execute", codes=codes)
        for code, output in zip(codes, answer["outputs"], strict=True):
            require_success(code, output)
        return [float(ms) for ms in answer["ms"]]

    async def evaluate(self) -> float:
        return float((await self._ask("evaluate"))["ms"])

    async def close(self) -> None:
        await self._ask("close")

    async def _ask(self, command: str, **arguments: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"command": command, **arguments}) + "\n"
        self._process.stdin.write(line.encode())
        answer = await self._process.stdout.readline()
        if not answer:
            raise BenchmarkError(f"native AppWorld ended in {command}; its error is above")
        return json.loads(answer)


@asynccontextmanager
async def native(python: Path, world: Path) -> AsyncGenerator[Native]:
    """A native process on a root of its own, whose data is the world's.

    Args:
        python: The interpreter of AppWorld's venv.
        world: The absolute path of the world.
    """
    with tempfile.TemporaryDirectory(prefix="bench-native-") as root:
        (Path(root) / "data").symlink_to(world / "data")
        process = await asyncio.create_subprocess_exec(
            python,
            "-m",
            "benchmarks.native_appworld",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "APPWORLD_ROOT": root, "HOME": root, "PYTHONWARNINGS": "ignore"},
            limit=_LINE_BYTES,
        )
        try:
            yield Native(process)
        finally:
            process.kill()
            await process.wait()


def require_success(code: str, output: str) -> None:
    """A step whose code raised would be measured for what it is not.

    Raises:
        BenchmarkError: It raised.
    """
    if "Execution failed" in output:
        raise BenchmarkError(f"a step failed:\n{code}\n{output[-1000:]}")
