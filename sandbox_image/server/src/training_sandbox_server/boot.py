"""From settings to a loaded environment, with the bound task open if there is one."""

from collections.abc import Callable
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
from training_sandbox_server.protocol import ConfinementStatus
from training_sandbox_server.settings import Settings
from training_sandbox_server.state_directory import StateDirectory
from training_sandbox_server.workers import Workers
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
    confinement: ConfinementStatus
    workers: Workers
    episodes: Episodes


async def load(
    zygote: Zygote,
    settings: Settings,
    directory: StateDirectory,
    bound: BoundTask | None,
    *,
    on_step: Callable[[], None],
) -> Loaded:
    """Wait for the zygote and open the bound task.

    Args:
        zygote: Started, not booted.
        settings: The settings.
        directory: The state directory, entered.
        bound: The only task that is played, if there is one.
        on_step: Called for every step that an episode executes.

    Raises:
        StartError: The environment cannot be loaded, or not be confined as strictly as the
            settings ask for, or the task not be opened.
    """
    try:
        await zygote.boot()
    except BootError as error:
        raise start_error(error) from error
    catalogue = Catalogue(zygote.hello, settings.env_type)
    workers = Workers(
        zygote,
        step_seconds=settings.step_timeout_seconds,
        templates_bytes=settings.templates_bytes,
    )
    confinement = ConfinementStatus.model_validate(workers.confinement)
    if settings.strict and confinement.missing:
        raise StartError(
            "NotConfined",
            f"SANDBOX_STRICT is set, but agent code cannot be confined here: "
            f"{'; '.join(confinement.missing)}",
            termination.EXIT_USAGE,
        )
    episodes = Episodes(
        workers,
        directory,
        slots=settings.slots if bound is None else 1,
        idle_seconds=settings.episode_idle_seconds,
        trajectory_bytes=settings.trajectory_max_mb << 20,
        on_step=on_step,
    )
    if bound is not None:
        await _open(bound, catalogue, episodes)
    return Loaded(catalogue, confinement, workers, episodes)


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
