"""Every error that this package raises, in one tree.

* TrainingSandboxError
  x Lost: what was running is gone; go on with a new episode
    + EpisodeLost
      - StepDeadlineExceeded
    + EpisodeExpired
    + EpisodeReleased
    + InstanceLost
  x Unavailable: nothing is wrong with the call; try later, or elsewhere
    + SandboxFull
    + SandboxDraining
    + SandboxBooting
  x InvalidRequest: what was asked is wrong; sending it again cannot help
    + Unauthorized
    + UnknownTask
    + UnknownSplit
    + UnknownEnvironment
    + EpisodeNotFound
    + EpisodeExists
    + EpisodeTerminated
    + OutOfOrder
    + PayloadTooLarge
    + InstanceRejected
    + InstanceExists
    + InstanceNotFound
  x EvaluationFailed: the episode has no reward
  x InfrastructureError: what carries episodes does not work
    + ConnectionFailed
    + CallTimedOut
    + InvalidAnswer
    + ServerFault
    + ForkUnsupported
    + InstanceNotReady
    + LocalServerFailed
    + ClusterUnavailable

No error ever becomes a reward: a call either returns what the environment said or raises.
"""
# Names say what happened, as in httpx's tree, and carry no Error suffix.
# ruff: noqa: N818

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class TrainingSandboxError(Exception):
    """Anything that this package raises. Instances can be pickled.

    Attributes:
        details: what the server's answer said beyond the sentence, by field; empty when the
            error did not come from a server.
    """

    details: Mapping[str, object]

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.details = dict(details or {})


class Lost(TrainingSandboxError):
    """What was running is gone, and with it its state. Go on with a new episode."""


class EpisodeLost(Lost):
    """The episode's process, or the server process that held it, has ended."""


class StepDeadlineExceeded(EpisodeLost):
    """A step ran longer than the server allows, which ended its episode."""


class EpisodeExpired(Lost):
    """The episode had no call for so long that the server released it."""


class EpisodeReleased(Lost):
    """The episode was released before."""


class InstanceLost(Lost):
    """The instance, its pod or the local server has ended, and every episode in it.

    Attributes:
        reason: one word in CamelCase of the instance's status (``OOMKilled``, ``PodDeleted``,
            ``NodeLost`` …).
    """

    reason: str

    def __init__(self, message: str, *, reason: str = "Unknown") -> None:
        super().__init__(message)
        self.reason = reason


class Unavailable(TrainingSandboxError):
    """Nothing is wrong with the call: try it later, or on another sandbox.

    Attributes:
        retry_after: seconds after which the server wants to be asked again; None when it
            did not say.
    """

    retry_after: float | None = None


class SandboxFull(Unavailable):
    """All slots are in use, and none became free before the call's deadline."""


class SandboxDraining(Unavailable):
    """The server is about to end and takes no new episodes."""


class SandboxBooting(Unavailable):
    """The server has not finished loading its environment."""


class InvalidRequest(TrainingSandboxError):
    """What was asked is wrong: the message says which field, and what is allowed."""


class Unauthorized(InvalidRequest):
    """The server takes no call without its token: says where that is, and what reading it needs."""


class UnknownTask(InvalidRequest):
    """The environment has no such task."""


class UnknownSplit(InvalidRequest):
    """The environment has no such split."""


class UnknownEnvironment(InvalidRequest):
    """The server, or the operator's catalogue, has no such environment."""


class EpisodeNotFound(InvalidRequest):
    """The server never had an episode of this id."""


class EpisodeExists(InvalidRequest):
    """An episode of this id was created with other arguments."""


class EpisodeTerminated(InvalidRequest):
    """The episode is over: it can be evaluated and released, not stepped."""


class OutOfOrder(InvalidRequest):
    """The step is not the episode's next one: another client stepped it, or an answer is missing.

    Attributes:
        expected_step_index: how many steps the server has executed; None when unknown.
    """

    expected_step_index: int | None = None


class PayloadTooLarge(InvalidRequest):
    """The request's body is larger than the server takes."""


class InstanceRejected(InvalidRequest):
    """The Kubernetes API refused the TrainingInstance; the message is the API's own."""


class InstanceExists(InvalidRequest):
    """There is a TrainingInstance of this name already."""


class InstanceNotFound(InvalidRequest):
    """There is no TrainingInstance of this name."""


class EvaluationFailed(TrainingSandboxError):
    """The environment could not evaluate the episode: it has no reward."""


class InfrastructureError(TrainingSandboxError):
    """What carries the episodes does not work: network, server, pod or cluster."""


class ConnectionFailed(InfrastructureError):
    """The server could not be reached, also not by trying again until the call's deadline."""


class CallTimedOut(InfrastructureError):
    """The call's deadline passed without an answer. A step may have been executed."""


class InvalidAnswer(InfrastructureError):
    """What answered does not speak the sandbox's protocol."""


class ServerFault(InfrastructureError):
    """The server failed in a way that it has no word for (HTTP 500)."""


class ForkUnsupported(InfrastructureError):
    """The server's kernel cannot fork running episodes, or this one has threads and goes on.

    ``create_group`` works all the same.
    """


class InstanceNotReady(InfrastructureError):
    """The instance did not become ready. The message ends with the pod's last lines of log.

    Attributes:
        reason: of its Ready condition, one word in CamelCase.
        log: the pod's last lines; empty when there are none to be had.
    """

    reason: str
    log: str

    def __init__(self, message: str, *, reason: str = "Unknown", log: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.log = log


class LocalServerFailed(InfrastructureError):
    """``local=True``: the server's process could not be started; says what to install or set."""


class ClusterUnavailable(InfrastructureError):
    """No Kubernetes API could be used; says what to do, also without a cluster.

    Attributes:
        passing: whether it may be otherwise in a moment: the API was away, failed, or had too
            much to do. False where nothing changes of itself, as without credentials.
        retry_after: seconds after which the API wants to be asked again; None when it did not
            say.
    """

    passing: bool
    retry_after: float | None

    def __init__(
        self, message: str, *, passing: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.passing = passing
        self.retry_after = retry_after
