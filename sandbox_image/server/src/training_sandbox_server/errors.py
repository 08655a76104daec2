"""Everything that a caller can be told went wrong: one exception tree, one HTTP answer each."""

from collections.abc import Mapping
from typing import ClassVar

RETRY_AFTER_SECONDS = 1


class SandboxError(Exception):
    """A refusal or a failure that the caller hears of.

    Args:
        detail: One sentence for a person; it names the field and what is allowed where one is
            wrong.
        facts: Further members of the answer's `error` object, for programs.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal"
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str, **facts: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts

    def body(self, incarnation: str) -> dict[str, object]:
        """The JSON body of the answer.

        Args:
            incarnation: The name of the one that answers.
        """
        return {
            "success": False,
            "detail": self.detail,
            "error": {"type": self.type, "incarnation": incarnation, **self.facts},
        }


class InternalError(SandboxError):
    """The server or the environment failed; the reason is in the log."""


class EvaluationFailedError(SandboxError):
    """There is no reward, and no number stands for one."""

    type = "evaluation_failed"


class InvalidRequestError(SandboxError):
    """The request cannot be understood."""

    status = 400
    type = "invalid_request"


class UnauthorizedError(SandboxError):
    """The call bears no token that is good here."""

    status = 401
    type = "unauthorized"
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'Bearer realm="training-sandbox"'}


class ForbiddenError(SandboxError):
    """The token is good, and not for this call."""

    status = 403
    type = "forbidden"


class PayloadTooLargeError(SandboxError):
    """The body is larger than any request may be."""

    status = 413
    type = "payload_too_large"


class UnknownEnvTypeError(SandboxError):
    """This server plays another environment."""

    status = 404
    type = "unknown_env_type"


class UnknownTaskError(SandboxError):
    """No split of the environment has this task."""

    status = 404
    type = "unknown_task"


class UnknownSplitError(SandboxError):
    """The environment has no such split."""

    status = 404
    type = "unknown_split"


class EpisodeNotFoundError(SandboxError):
    """No episode of this incarnation has, or lately had, this id."""

    status = 404
    type = "episode_not_found"


class EpisodeExistsError(SandboxError):
    """An episode of this id plays another task or has other params."""

    status = 409
    type = "episode_exists"


class OutOfOrderError(SandboxError):
    """The step is neither the next one nor a repetition of the last."""

    status = 409
    type = "out_of_order"


class EpisodeTerminatedError(SandboxError):
    """The task is over; it takes no step, but it can be evaluated."""

    status = 409
    type = "episode_terminated"


class AlreadyBoundError(SandboxError):
    """The server plays something else; another server is to be taken."""

    status = 409
    type = "already_bound"


class EpisodeReleasedError(SandboxError):
    """The episode was released."""

    status = 410
    type = "episode_released"


class EpisodeExpiredError(SandboxError):
    """The episode was released because nobody called it for too long."""

    status = 410
    type = "episode_expired"


class EpisodeLostError(SandboxError):
    """The episode's process ended or was killed, or it was an episode of another incarnation."""

    status = 410
    type = "episode_lost"


class FullError(SandboxError):
    """There is no room for an episode now."""

    status = 429
    type = "full"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": str(RETRY_AFTER_SECONDS)}


class ForkUnsupportedError(SandboxError):
    """No running episode can be forked on this kernel, or this one cannot."""

    status = 501
    type = "fork_unsupported"


class DrainingError(SandboxError):
    """The server is about to end, or its only task is over."""

    status = 503
    type = "draining"


class BootingError(SandboxError):
    """The environment is still being loaded."""

    status = 503
    type = "booting"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": str(RETRY_AFTER_SECONDS)}


class StepDeadlineError(SandboxError):
    """The call took longer than a step may; its episode was killed."""

    status = 504
    type = "step_deadline"


def another_incarnation(expected: str) -> EpisodeLostError:
    """The answer to whoever means an incarnation that is not this one."""
    return EpisodeLostError(
        f"incarnation {expected[:128]} has ended, and all its episodes are lost"
    )
