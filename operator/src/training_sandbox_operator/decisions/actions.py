"""What the operator can do. Values only: ``cluster.apply`` carries them out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import JsonObject, Key
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.token_secret import TokenSecret


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Create the instance's pod."""

    instance: TrainingInstance
    manifest: JsonObject


@dataclass(frozen=True, slots=True)
class ClaimPod:
    """Make this warm pod the instance's, unless anybody has changed it meanwhile."""

    instance: TrainingInstance
    pod: Pod


@dataclass(frozen=True, slots=True)
class CreateWarmPod:
    """Create the pod of the pool with this number, which its name is made of."""

    pool: TrainingPool
    manifest: JsonObject
    number: int


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete this very pod, at once when its node does not answer any more."""

    pod: Key
    uid: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class DeleteWarmPod:
    """Delete a pod of a pool, unless anybody has changed it meanwhile: it may have been claimed.

    Attributes:
        failure: why it is of no use, when it has failed.
    """

    pool: TrainingPool
    pod: Pod
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteInstance:
    """Delete the instance, unless anybody has changed it meanwhile.

    Attributes:
        wanted_until: when it is not to be done any more but decided anew; None for a reason that
            lasts.
    """

    instance: TrainingInstance
    wanted_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Replace the instance's status, unless anybody has changed the instance meanwhile."""

    instance: TrainingInstance
    status: JsonObject


@dataclass(frozen=True, slots=True)
class WritePoolStatus:
    """Replace the pool's status, unless anybody has changed the pool meanwhile."""

    pool: TrainingPool
    status: JsonObject


@dataclass(frozen=True, slots=True)
class WriteToken:
    """Create the Secret with the token of the instance's present server.

    Attributes:
        incarnation: the server that the token is good for.
        replaces: what is in its place: an earlier server's, an earlier instance's, or a spoilt one.
    """

    instance: TrainingInstance
    incarnation: str
    replaces: TokenSecret | None = None


@dataclass(frozen=True, slots=True)
class AskServer:
    """Ask the instance's server for its /status, in the background.

    Attributes:
        occasion: what makes the operator ask; comes back with the answer.
        audience: the incarnation that the operator's token is to be for; None for a server that
            wants no token.
    """

    instance_key: Key
    instance_uid: str
    pod_uid: str
    address: str
    occasion: str
    audience: str | None = None


@dataclass(frozen=True, slots=True)
class BindTask:
    """Have the server of a claimed pod open the instance's task, in the background.

    To ask again changes nothing: the server plays one task, once.

    Attributes:
        incarnation: the server that is meant; a later one must be looked at first.
        occasion: comes back with the answer.
        audience: as of ``AskServer``.
    """

    instance: TrainingInstance
    pod_uid: str
    address: str
    incarnation: str
    occasion: str
    audience: str | None = None


@dataclass(frozen=True, slots=True)
class EmitEvent:
    """Tell the people who run ``kubectl describe``.

    Attributes:
        about: tells occurrences with the same reason apart, where both are worth an event.
    """

    instance: TrainingInstance
    kind: Literal["Normal", "Warning"]
    reason: str
    message: str
    about: str = ""


Action = (
    CreatePod
    | ClaimPod
    | CreateWarmPod
    | DeletePod
    | DeleteWarmPod
    | DeleteInstance
    | WriteStatus
    | WritePoolStatus
    | WriteToken
    | AskServer
    | BindTask
    | EmitEvent
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, in this order, and when to look again if nothing happens until then."""

    actions: tuple[Action, ...] = ()
    deadline: datetime | None = None
