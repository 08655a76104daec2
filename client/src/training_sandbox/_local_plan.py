"""What a local server is started with: its command and its settings. Pure."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from training_sandbox._exceptions import LocalServerFailed
from training_sandbox._json import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from training_sandbox._server import BoundTask
    from training_sandbox._types import Overrides

COMMAND_VARIABLE = "TRAINING_SANDBOX_SERVER"
PYTHON_VARIABLE = "TRAINING_SANDBOX_ENVIRONMENT_PYTHON"


@dataclass(frozen=True, slots=True)
class LocalServerPlan:
    """What to start.

    Attributes:
        env_type: the environment; its interpreter comes from ``PYTHON_VARIABLE``.
        bound: the task to open at start.
        overrides: of which ``slots`` and ``env`` apply to a local server.
    """

    env_type: str
    bound: BoundTask | None
    overrides: Overrides

    def settings(
        self, environment: Mapping[str, str], *, port: int, state_directory: Path, identity: str
    ) -> dict[str, str]:
        """Return the server's environment variables, on top of this process' own.

        Raises:
            LocalServerFailed: no interpreter of the environment is set.
        """
        python = environment.get(PYTHON_VARIABLE) or environment.get("SANDBOX_ENVIRONMENT_PYTHON")
        if not python:
            raise LocalServerFailed(
                "a local server needs the Python of the environment's virtual environment: set "
                f"{PYTHON_VARIABLE}=/path/to/venv/bin/python (one that has the environment "
                f"{self.env_type!r} installed)"
            )
        settings = {
            **environment,
            **(self.overrides.get("env") or {}),
            "SANDBOX_ENVIRONMENT": self.env_type,
            "SANDBOX_ENV_TYPE": self.env_type,
            "SANDBOX_ENVIRONMENT_PYTHON": python,
            "SANDBOX_HOST": "127.0.0.1",
            "SANDBOX_PORT": str(port),
            "SANDBOX_STATE_DIR": str(state_directory),
            "SANDBOX_POD_UID": identity,
        }
        if slots := self.overrides.get("slots"):
            settings["SANDBOX_SLOTS"] = str(slots)
        if self.bound:
            settings["SANDBOX_TASK_ID"] = self.bound.task_id
            settings["SANDBOX_EPISODE_ID"] = self.bound.episode_id
            settings["SANDBOX_PARAMS"] = json.dumps(plain(self.bound.params or {}))
        return settings


def server_command(environment: Mapping[str, str]) -> Sequence[str]:
    """Return the command of the server: as set, beside this interpreter, or in PATH.

    Raises:
        LocalServerFailed: there is none.
    """
    if command := environment.get(COMMAND_VARIABLE):
        return shlex.split(command)
    if find_spec("training_sandbox_server"):
        return [sys.executable, "-m", "training_sandbox_server"]
    if found := shutil.which("training-sandbox-server", path=environment.get("PATH")):
        return [found]
    raise LocalServerFailed(
        "a local server needs its package: install training-sandbox-server, or set "
        f"{COMMAND_VARIABLE} to the command that starts it"
    )
