"""A real server as a child of this process."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

from training_sandbox_conformance.outcomes import KitError

_READY_SECONDS = 300
_STOP_SECONDS = 60
_POLL_SECONDS = 0.02


class ServerFailedError(KitError):
    """The server does not start; the text has the end of its log."""


class NotInstalledError(KitError):
    """The server finds no such environment; the text says which there are, and what to do."""


class ServerProcess:
    """A server on a free port of this machine; in the end it and all that it started are gone.

    Args:
        settings: All of its environment variables, but where it listens and keeps its state.
        log: Takes what it logs.

    Attributes:
        url: Where it answers.
        pid: Its process id.
        log: Takes what it logs.
        ready_seconds: From the start of the process until episodes could be created; 0.0 before.
    """

    def __init__(self, settings: Mapping[str, str], log: Path) -> None:
        self.url = ""
        self.pid = 0
        self.ready_seconds = 0.0
        self._settings = settings
        self.log = log

    def __enter__(self) -> Self:
        self._state = tempfile.TemporaryDirectory(prefix="training-sandbox-")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._began = time.monotonic()
        with self.log.open("w") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "training_sandbox_server"],
                env={
                    **self._settings,
                    "SANDBOX_HOST": "127.0.0.1",
                    "SANDBOX_PORT": "0",
                    "SANDBOX_STATE_DIR": self._state.name,
                },
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.pid = self._popen.pid
        return self

    def wait_until_ready(self) -> None:
        """Wait until episodes can be created.

        Raises:
            NotInstalledError: It ended, as there is no such environment or no such interpreter.
            ServerFailedError: It ended for another reason, or takes too long.
        """
        assert self._popen.stdout is not None  # noqa: S101 (it is a pipe)
        found = re.search(r"http://\S+", self._popen.stdout.readline())
        self.url = found.group() if found else ""
        end = self._began + _READY_SECONDS
        while self.url and self._popen.poll() is None and time.monotonic() < end:
            if self._is_ready():
                self.ready_seconds = time.monotonic() - self._began
                return
            time.sleep(_POLL_SECONDS)
        if self._popen.poll() == os.EX_USAGE:
            raise NotInstalledError(
                f"{self._last_words}\n"
                "To do: name its class under "
                '[project.entry-points."training_sandbox.environments"] in its pyproject.toml, '
                "install it anew, and give the interpreter of its venv as --python."
            )
        raise ServerFailedError(f"the server did not become ready: {self._last_words}")

    @property
    def end_of_log(self) -> str:
        """The last lines that it logged, and where the others are."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join([*lines[-15:], f"(log: {self.log})"])

    @property
    def _last_words(self) -> str:
        """What it says in its last line, which is JSON, or else the end of its log."""
        with contextlib.suppress(ValueError, LookupError, TypeError):
            words = json.loads(self.log.read_text(errors="replace").splitlines()[-1])
            return f"{words['message']}\n(log: {self.log})"
        return self.end_of_log

    def processes(self) -> list[psutil.Process]:
        """The server and all processes below it."""
        server = psutil.Process(self.pid)
        return [server, *server.children(recursive=True)]

    def zygote(self) -> psutil.Process:
        """The only process that the server starts itself."""
        return psutil.Process(self.pid).children()[0]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._popen.send_signal(signal.SIGTERM)
        try:
            self._popen.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        assert self._popen.stdout is not None  # noqa: S101 (it is a pipe)
        self._popen.stdout.close()
        self._state.cleanup()

    def _is_ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=10, trust_env=False).is_success
        return False


def pss_mb(processes: Sequence[psutil.Process]) -> float:
    """The memory of processes, each shared page counted once in all, in MB (10^6 bytes).

    Raises:
        KitError: The kernel does not tell this user.
    """
    kilobytes = 0
    for process in processes:
        try:
            rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        except PermissionError as error:
            raise KitError(
                f"the memory of process {process.pid} cannot be read; run as root"
            ) from error
        except (FileNotFoundError, ProcessLookupError):
            continue
        kilobytes += next(int(row.split()[1]) for row in rollup.splitlines() if row[:4] == "Pss:")
    return kilobytes * 1024 / 1e6
