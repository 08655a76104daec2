"""How a failure of a process is told to the caller."""

from training_sandbox_server.episode_processes import EnvironmentFailedError
from training_sandbox_server.episode_state import EpisodeState, refusal
from training_sandbox_server.errors import (
    FullError,
    InternalError,
    SandboxError,
    StepDeadlineError,
)
from training_sandbox_server.forker import ForkError


def told(error: Exception) -> str:
    """What went wrong, for the log."""
    return str(error) or type(error).__name__


def opening_failure(error: Exception, what: str) -> SandboxError:
    """The error that one of `FAILURES` is told as when a task was to be opened.

    Args:
        error: What went wrong.
        what: What there is none of now, for the caller.
    """
    match error:
        case ForkError():
            return FullError(f"no process can be started now: {error}")
        case TimeoutError():
            return StepDeadlineError(f"opening {what} took too long")
        case EnvironmentFailedError():
            return InternalError(f"the environment failed in opening {what}; the log says why")
        case _:
            return InternalError(f"the process of {what} ended while it was opened")


def playing_failure(error: Exception, what: str, episode_id: str) -> SandboxError:
    """The error that one of `FAILURES` is told as when it ended an episode.

    Args:
        error: What went wrong.
        what: In which call.
        episode_id: The episode.
    """
    match error:
        case TimeoutError():
            return StepDeadlineError(f"{what} took too long; episode {episode_id} was killed")
        case EnvironmentFailedError():
            return InternalError(f"the environment failed in {what}; the log says why")
        case _:
            return refusal(EpisodeState.LOST, episode_id)
