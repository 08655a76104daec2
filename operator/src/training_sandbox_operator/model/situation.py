"""All that a decision about one instance depends on, beside the time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from training_sandbox_operator.model.catalogue import Environment
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.server import ServerAnswer

_FIRST_RETRY = timedelta(seconds=10)
_LONGEST_RETRY = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API server would not have the instance's pod, and the instance alone cannot change it.

    Attributes:
        failures: how often in a row.
    """

    at: datetime
    reason: str
    message: str
    failures: int

    @property
    def retry_at(self) -> datetime:
        """When to try again: after 10 s, 20 s, 40 s …, 300 s. A quota may have become free."""
        return self.at + min(_FIRST_RETRY * 2 ** min(self.failures - 1, 16), _LONGEST_RETRY)


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known about one key.

    Attributes:
        instance: the TrainingInstance, None when there is none of that name (any more).
        pods: every pod that names an instance of that name as its owner, of earlier ones too.
        environment: the catalogue's entry, None when the catalogue has none of that name.
        known_environments: the catalogue's names, for the people who have to choose one.
    """

    instance: TrainingInstance | None
    pods: Sequence[Pod] = ()
    environment: Environment | None = None
    known_environments: Sequence[str] = ()
    refusal: Refusal | None = None
    answer: ServerAnswer | None = None

    @property
    def pod(self) -> Pod | None:
        """The instance's own pod; one of the same name that belongs to another does not count."""
        instance = self.instance
        if instance is None:
            return None
        for pod in self.pods:
            is_owned = pod.owner is not None and pod.owner.uid == instance.uid
            is_known = instance.pod_uid is None or instance.pod_uid == pod.uid
            if is_owned and is_known and pod.key.name == instance.pod_name:
                return pod
        return None
