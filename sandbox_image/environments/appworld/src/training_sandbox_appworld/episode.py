"""An episode: one AppWorld world, in a process of its own."""

import os
import time
from collections.abc import Mapping
from typing import cast

from training_sandbox_appworld.actions import Action, Execute, parse_message
from training_sandbox_appworld.databases import Databases
from training_sandbox_appworld.live_world import LiveWorld, start_task
from training_sandbox_appworld.prompts import Supervisor, system_prompt
from training_sandbox_appworld.saved_state import encode
from training_sandbox_worker.environment import (
    Episode,
    InvalidAction,
    Message,
    Observation,
    Task,
)

_STEP_SECONDS_VARIABLE = "SANDBOX_STEP_TIMEOUT_SECONDS"
_DEFAULT_STEP_SECONDS = 100.0
_APP_OF_THE_TASK = "supervisor"
_SHARE_OF_STEP = 0.9
"""AppWorld stops code before the server's deadline, so that the agent is told and plays on."""


class AppWorldEpisode(Episode):
    """Plays one task. A copy of its process plays on as if nothing had been.

    Args:
        task: The task.
        world: Made, and not used; it is the episode's from now on.
        databases: Not open; they are the episode's from now on.

    Raises:
        InvalidAction: A param is not what it should be.
    """

    def __init__(self, task: Task, world: LiveWorld, databases: Databases) -> None:
        self._simple = _flag(task.params, "simple", default=False)
        self._with_example = _flag(task.params, "prompt", default=True)
        self._step_seconds = _SHARE_OF_STEP * _step_seconds()
        self._databases = databases
        self._world = world
        self._changes_then, self._completed_then = -1, False
        start_task(world, databases, task.id)

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
        # AppWorld keeps all of them for a log, which nobody writes here.
        self._world.environment_io.clear()
        answer: Message = {"role": "user", "content": content, "tool_calls": []}
        return Observation(messages=[answer], terminated=self._completed())

    def save(self) -> bytes:
        """The changes of rows since the task started."""
        return encode(self._databases.changes())

    def _completed(self) -> bool:
        """Whether code has said so; AppWorld is asked only when code can have."""
        changes = self._databases.count_changes(_APP_OF_THE_TASK)
        if self._changes_then != changes:
            self._changes_then, self._completed_then = changes, self._world.task_completed()
        return self._completed_then

    def _perform(self, action: Action, deadline: float) -> str:
        if not isinstance(action, Execute):
            return action.text
        self._world.timeout_seconds = max(1, int(deadline - _now()))
        output = self._world.execute(action.code)
        return output if self._simple else f"Output:\n```\n{output}```\n\n"


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
