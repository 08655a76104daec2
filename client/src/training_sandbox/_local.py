"""A server of our own on this machine, without a cluster."""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpx

from training_sandbox._answers import INCARNATION_HEADER
from training_sandbox._exceptions import (
    InstanceLost,
    LocalServerFailed,
    TrainingSandboxError,
)
from training_sandbox._json import as_object, as_text
from training_sandbox._leftovers import Leftover
from training_sandbox._local_plan import server_command
from training_sandbox._reasons import callers_fault
from training_sandbox._server import Server
from training_sandbox._tls import tls_context
from training_sandbox._uninterrupted import uninterrupted

if TYPE_CHECKING:
    from training_sandbox._local_plan import LocalServerPlan
    from training_sandbox._progress import Progress, Wait

logger = logging.getLogger("training_sandbox")

STOP_SECONDS = 5.0
POLL_SECONDS = 0.1
POLL_TIMEOUT_SECONDS = 10.0
LOG_LINES = 20

_LAUNCHER = Path(__file__).with_name("_launch.py")
_PORT_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Running:
    """A server's process, its address and its folder."""

    process: subprocess.Popen[bytes]
    url: str
    identity: str
    directory: Path

    def log_tail(self) -> str:
        """Return the last lines that the server wrote."""
        lines = (self.directory / "log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])

    def end(self) -> None:
        """Kill the server's process group, with which its episodes end; remove its folder."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class LocalServer:
    """A server as a process of this machine, which ends with this one.

    Args:
        plan: what to start.
        wait: how long to wait until it accepts episodes, and what to show meanwhile.
    """

    def __init__(self, plan: LocalServerPlan, wait: Wait) -> None:
        self._plan = plan
        self._wait = wait
        self._running: _Running | None = None
        self._leftover: Leftover | None = None

    async def token_after(self, refused: str | None, seconds: float) -> str | None:  # noqa: ARG002 (it asks for none)
        """Know no token: a server of this machine's own asks for none."""
        return None

    async def start(self) -> Server:
        """Start the server and wait until it accepts episodes.

        Raises:
            LocalServerFailed: it cannot be started; with the last lines of its log.
            UnknownTask: the environment does not have the task.
            InvalidRequest: it does not take the task's parameters.
        """
        for attempts_left in reversed(range(_PORT_ATTEMPTS)):
            running = self._launch()
            try:
                with self._wait.progress() as progress:
                    await self._wait_until_ready(running, progress)
            except LocalServerFailed as failure:
                await self.stop()
                if "address already in use" not in str(failure) or not attempts_left:
                    raise
            except BaseException:
                await self.stop()
                raise
            else:
                logger.info("local server at %s, process %d", running.url, running.process.pid)
                return Server(running.url, env_type=self._plan.env_type, bound=self._plan.bound)
        raise AssertionError

    async def stop(self) -> None:
        """End the server; kill it if it takes long."""
        await uninterrupted(self._end)

    async def _end(self) -> None:
        running, leftover = self._running, self._leftover
        self._running = self._leftover = None
        if running is None or leftover is None:
            return
        running.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            await anyio.to_thread.run_sync(running.process.wait, STOP_SECONDS)
        running.end()
        leftover.forget()

    async def explain(self) -> TrainingSandboxError | None:
        """Say how the server ended; None while it runs."""
        if self._running is None or self._running.process.poll() is None:
            return None
        return InstanceLost(
            f"the local server has ended (exit status {self._running.process.returncode}):\n"
            f"{self._running.log_tail()}",
            reason="ServerExited",
        )

    def _launch(self) -> _Running:
        """Start the process, in the loop's own thread: when that ends, so does the process."""
        command = server_command(os.environ)
        port, identity = _free_port(), f"local-{secrets.token_hex(4)}"
        directory = Path(tempfile.mkdtemp(prefix="training-sandbox-"))
        try:
            settings = self._plan.settings(
                os.environ, port=port, state_directory=directory / "state", identity=identity
            )
            with (directory / "log").open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 (the user's own command)
                    [sys.executable, "-I", str(_LAUNCHER), str(os.getpid()), *command],
                    env=settings,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        running = _Running(process, f"http://127.0.0.1:{port}", identity, directory)
        self._running, self._leftover = running, Leftover(self, running.end)
        return running

    async def _wait_until_ready(self, running: _Running, progress: Progress) -> None:
        progress.say(f"local server of {self._plan.env_type}: starting")
        try:
            with anyio.fail_after(self._wait.seconds):
                async with httpx.AsyncClient(
                    timeout=POLL_TIMEOUT_SECONDS, trust_env=False, verify=tls_context()
                ) as http:
                    while not await _is_ready(http, running):
                        if running.process.poll() is not None:
                            raise _why_ended(running)
                        await anyio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise LocalServerFailed(
                f"the local server was not ready within {self._wait.seconds:g} s:\n"
                f"{running.log_tail()}"
            ) from error


async def _is_ready(http: httpx.AsyncClient, running: _Running) -> bool:
    """Whether the server accepts episodes; False also when another answers on its port."""
    try:
        answer = await http.get(f"{running.url}/readyz")
    except httpx.RequestError:
        return False
    ours = answer.headers.get(INCARNATION_HEADER, "").startswith(running.identity)
    return ours and answer.is_success


def _why_ended(running: _Running) -> TrainingSandboxError:
    """Read the server's last words: it leaves a line of JSON where the caller is to blame."""
    tail = running.log_tail()
    for line in reversed(tail.splitlines()):
        if line.startswith("{"):
            words = _json_object(line)
            reason, message = as_text(words.get("reason")), as_text(words.get("message"))
            if fault := callers_fault(reason, message):
                return fault
    status = running.process.returncode
    return LocalServerFailed(
        f"the local server ended before it was ready (exit status {status}):\n{tail}"
    )


def _json_object(line: str) -> dict[str, object]:
    try:
        return as_object(json.loads(line))
    except ValueError:
        return {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
