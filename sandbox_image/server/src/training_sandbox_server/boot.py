"""From settings to a loaded environment, with the bound task open if there is one."""

from dataclasses import dataclass

from training_sandbox_server import termination
from training_sandbox_server.bound_task import BoundTask
from training_sandbox_server.catalogue import Catalogue
from training_sandbox_server.episodes import Episodes
from training_sandbox_server.errors import (
    FullError,
    InternalError,
    SandboxError,
    StepDeadlineError,
    UnknownTaskError,
)
from training_sandbox_server.settings import Settings
from training_sandbox_server.state_directory import StateDirectory
from training_sandbox_server.zygote_client import BootError, Zygote

_NOT_THE_TASKS_FAULT = (FullError, InternalError, StepDeadlineError)


class StartError(Exception):
    """There is nothing to serve.

    Attributes:
        reason: One word, for the termination log.
        exit_status: Says whether starting again can help.
    """

    def __init__(self, reason: str, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.reason = reason
        self.exit_status = exit_status


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a server serves from."""

    catalogue: Catalogue
    episodes: Episodes


async def load(
    zygote: Zygote, settings: Settings, directory: StateDirectory, bound: BoundTask | None
) -> Loaded:
    """Wait for the zygote and open the bound task.

    Raises:
        StartError: The environment cannot be loaded or the task not be opened.
    """
    try:
        await zygote.boot()
    except BootError as error:
        raise start_error(error) from error
    catalogue = Catalogue(zygote.hello, settings.env_type)
    episodes = Episodes(
        zygote,
        directory,
        slots=settings.slots if bound is None else 1,
        step_seconds=settings.step_timeout_seconds,
        idle_seconds=settings.episode_idle_seconds,
    )
    if bound is not None:
        await _open(bound, catalogue, episodes)
    return Loaded(catalogue, episodes)


def start_error(error: BootError) -> StartError:
    """A zygote's failure, as the end of the server."""
    if error.usage:
        return StartError("InvalidEnvironment", str(error), termination.EXIT_USAGE)
    return StartError("EnvironmentFailed", str(error), termination.EXIT_SOFTWARE)


async def _open(bound: BoundTask, catalogue: Catalogue, episodes: Episodes) -> None:
    try:
        catalogue.require_task(bound.task_id)
        bound.episode = await episodes.create(bound.task_id, bound.params, bound.episode_id)
    except UnknownTaskError as error:
        raise StartError("UnknownTask", error.detail, termination.EXIT_USAGE) from error
    except _NOT_THE_TASKS_FAULT as error:
        raise StartError("TaskFailed", error.detail, termination.EXIT_SOFTWARE) from error
    except SandboxError as error:
        raise StartError("InvalidTask", error.detail, termination.EXIT_USAGE) from error
