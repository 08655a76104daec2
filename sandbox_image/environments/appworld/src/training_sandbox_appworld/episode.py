"""An episode: one AppWorld world, in a process of its own."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from training_sandbox_appworld import library
from training_sandbox_appworld.actions import Action, Execute, parse_message
from training_sandbox_appworld.prompts import Supervisor, system_prompt
from training_sandbox_worker.environment import (
    Episode,
    EpisodeContext,
    InvalidAction,
    Message,
    Observation,
)

OUTPUT = "/proc/self/cwd"
"""The output directory that AppWorld is told: the episode's own directory, by another name.

Its real name has the client's episode id in it, and AppWorld takes any path with the word "memory"
in it for an in-memory database. The process works in its episode's directory.
"""

_STEP_SECONDS_VARIABLE = "SANDBOX_STEP_TIMEOUT_SECONDS"
_DEFAULT_STEP_SECONDS = 100.0
_SHARE_OF_STEP = 0.9
"""AppWorld stops code before the server's deadline, so that the agent is told and plays on."""


class _World(Protocol):
    """What is used of `appworld.AppWorld`."""

    task: Any
    timeout_seconds: int

    def execute(self, code: str) -> str: ...
    def task_completed(self) -> bool: ...
    def close(self) -> None: ...


class AppWorldEpisode(Episode):
    """Plays one task.

    Args:
        context: The episode. The working directory of the process becomes its directory.

    Raises:
        InvalidAction: A param is not what it should be.
    """

    def __init__(self, context: EpisodeContext) -> None:
        self._simple = _flag(context.params, "simple", default=False)
        self._with_example = _flag(context.params, "prompt", default=True)
        self._step_seconds = _SHARE_OF_STEP * _step_seconds()
        self._world = _open_world(context)

    def initial_messages(self) -> list[Message]:
        """The system message and the supervisor's instruction."""
        task = self._world.task
        supervisor = Supervisor(
            first_name=task.supervisor.first_name,
            last_name=task.supervisor.last_name,
            email=task.supervisor.email,
            phone_number=task.supervisor.phone_number,
        )
        prompt = system_prompt(
            supervisor,
            cast("Mapping[str, str]", task.app_descriptions),
            simple=self._simple,
            with_example=self._with_example,
        )
        return [
            {"role": "system", "content": prompt},
            {"role": "user", "content": str(task.instruction)},
        ]

    def step(self, message: Message) -> Observation:
        """Execute the code of the message; several tool calls one after the other."""
        actions = parse_message(message, simple=self._simple)
        deadline = _now() + self._step_seconds
        content = "\n".join(self._perform(action, deadline) for action in actions)
        answer: Message = {"role": "user", "content": content, "tool_calls": []}
        return Observation(messages=[answer], terminated=self._world.task_completed())

    def close(self) -> None:
        """Close the databases and end the threads of the world."""
        self._world.close()

    def _perform(self, action: Action, deadline: float) -> str:
        if not isinstance(action, Execute):
            return action.text
        self._world.timeout_seconds = max(1, int(deadline - _now()))
        output = self._world.execute(action.code)
        return output if self._simple else f"Output:\n```\n{output}```\n\n"


def _open_world(context: EpisodeContext) -> _World:
    os.chdir(context.directory)
    # IPython makes its profile at first use; the home directory is shared by all episodes.
    os.environ["IPYTHONDIR"] = str(Path(OUTPUT) / "ipython")
    world = library.module("environment").AppWorld(
        task_id=context.task_id,
        experiment_name=OUTPUT,
        load_ground_truth=False,
        # The server's limits are on steps, and its answer to too many of them is not AppWorld's.
        max_interactions=1_000_000,
    )
    return cast("_World", world)


def _flag(params: Mapping[str, object], name: str, *, default: bool) -> bool:
    value = params.get(name, default)
    if not isinstance(value, bool):
        raise InvalidAction(f"params.{name} must be true or false")
    return value


def _step_seconds() -> float:
    return float(os.environ.get(_STEP_SECONDS_VARIABLE, _DEFAULT_STEP_SECONDS))


def _now() -> float:
    """Seconds that pass: a live world freezes `time.monotonic` and its like, but not this."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)
