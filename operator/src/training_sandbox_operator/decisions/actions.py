"""What the operator can do. Values only: ``cluster.apply`` carries them out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import JsonObject, Key


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Create the instance's pod."""

    instance: TrainingInstance
    manifest: JsonObject


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete this very pod, at once when its node does not answer any more."""

    pod: Key
    uid: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class DeleteInstance:
    """Delete the instance, unless anybody has changed it meanwhile."""

    instance: TrainingInstance


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Replace the instance's status, unless anybody has changed the instance meanwhile."""

    instance: TrainingInstance
    status: JsonObject


@dataclass(frozen=True, slots=True)
class AskServer:
    """Ask the instance's server for its /status, in the background.

    Attributes:
        occasion: what makes the operator ask; comes back with the answer.
    """

    instance_key: Key
    instance_uid: str
    pod_uid: str
    address: str
    occasion: str


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


Action = CreatePod | DeletePod | DeleteInstance | WriteStatus | AskServer | EmitEvent


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, in this order, and when to look again if nothing happens until then."""

    actions: tuple[Action, ...] = ()
    deadline: datetime | None = None
