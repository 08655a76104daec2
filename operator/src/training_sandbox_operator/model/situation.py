"""All that a decision about one instance, or one pool, depends on, beside the time."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from training_sandbox_operator.model.catalogue import BY_DEFAULT, Allowances, Environment
from training_sandbox_operator.model.demand import Demand
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.server import ServerAnswer
from training_sandbox_operator.model.token_secret import TokenSecret

_FIRST_RETRY = timedelta(seconds=10)
_LONGEST_RETRY = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A pod was refused, or failed at once, and to try again at once would change nothing.

    Attributes:
        failures: how often in a row.
    """

    at: datetime
    reason: str
    message: str
    failures: int

    @classmethod
    def after(cls, before: Self | None, at: datetime, reason: str, message: str) -> Self:
        """Return what follows the one before, if there was one in the same row."""
        return cls(at, reason, message, before.failures + 1 if before is not None else 1)

    @property
    def retry_at(self) -> datetime:
        """When to try again: after 10 s, 20 s, 40 s …, 300 s. A quota may have become free."""
        return self.at + min(_FIRST_RETRY * 2 ** min(self.failures - 1, 16), _LONGEST_RETRY)


@dataclass(frozen=True, slots=True)
class WrittenToken:
    """A token that this operator has put into its Secret.

    Attributes:
        incarnation: of the server that takes it.
    """

    incarnation: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known about one key.

    Attributes:
        instance: the TrainingInstance, None when there is none of that name (any more).
        pods: every pod that names an instance of that name as its owner, of earlier ones too.
        environment: the catalogue's entry, None when the catalogue has none of that name.
        known_environments: the catalogue's names, for the people who have to choose one.
        allowed: what the catalogue lets be overridden.
        answer: what the server said last, None when nothing is known of it.
        asks_since: when this operator began to ask; what was answered before it does not know.
        pool: the one that the instance names, None when there is none of that name (any more).
        promised: the warm pod that the instance is to claim.
        pool_was_empty: the pool has been looked at for a warm pod, and had none.
        public_key: of the key that this operator signs tokens with; None when it signs none.
        token_secret: the Secret of the name that the instance's token has, if an operator made it.
        token_refusal: why that could not be written.
        token_written: the one that this operator wrote last.
    """

    instance: TrainingInstance | None
    pods: Sequence[Pod] = ()
    environment: Environment | None = None
    known_environments: Sequence[str] = ()
    allowed: Allowances = BY_DEFAULT
    refusal: Refusal | None = None
    answer: ServerAnswer | None = None
    asks_since: datetime | None = None
    pool: TrainingPool | None = None
    promised: Pod | None = None
    pool_was_empty: bool = False
    public_key: str | None = None
    token_secret: TokenSecret | None = None
    token_refusal: Refusal | None = None
    token_written: WrittenToken | None = None

    @property
    def pod(self) -> Pod | None:
        """The instance's own pod; one of the same name that belongs to another does not count."""
        instance = self.instance
        if instance is None:
            return None
        for pod in self._owned:
            if instance.pod_uid is None or instance.pod_uid == pod.uid:
                return pod
        return None

    @property
    def strays(self) -> Sequence[Pod]:
        """Pods that the instance owns beside the one that its status names.

        They come of two operators that did not know of each other, and of answers that were lost.
        """
        instance = self.instance
        if instance is None or instance.pod_uid is None:
            return ()
        return [pod for pod in self._owned if pod.uid != instance.pod_uid]

    @property
    def _owned(self) -> Sequence[Pod]:
        instance = self.instance
        if instance is None:
            return ()
        return [
            pod
            for pod in self.pods
            if pod.owner is not None
            and pod.owner.uid == instance.uid
            and (pod.key.name == instance.pod_name or _is_claimed(instance, pod))
        ]


@dataclass(frozen=True, slots=True)
class PoolSituation:
    """What is known about one pool.

    Attributes:
        pool: the TrainingPool, None when there is none of that name (any more).
        warm: its pods that nobody has claimed.
        ending: pods of this pool, or of an earlier one of its name, that are being deleted.
        promised: those of them that an instance is about to claim.
        waiting: how many instances wait for one.
        is_taken: whether a pod of this name is there, of whatever owner.
        unanswered: numbers of pods that were asked for, and it is not known whether they were made.
        refusal: why the API server would not have its last pod.
        failure: why its last pod failed before anybody claimed it.
        told_at: when its status was written last.
        public_key: of the key that this operator signs tokens with; None when it signs none.
    """

    pool: TrainingPool | None
    warm: Sequence[Pod] = ()
    ending: Sequence[Pod] = ()
    promised: Collection[Key] = ()
    waiting: int = 0
    is_taken: Callable[[Key], bool] = lambda _: False
    unanswered: Collection[int] = ()
    environment: Environment | None = None
    known_environments: Sequence[str] = ()
    allowed: Allowances = BY_DEFAULT
    refusal: Refusal | None = None
    failure: Refusal | None = None
    demand: Demand | None = None
    told_at: datetime | None = None
    public_key: str | None = None


def _is_claimed(instance: TrainingInstance, pod: Pod) -> bool:
    return instance.pool_name is not None and bool(pod.template)
