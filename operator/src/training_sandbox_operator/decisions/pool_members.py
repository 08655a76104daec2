"""The warm pods of a pool, by what is to be done with them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from training_sandbox_operator.decisions.claims import may_be_claimed
from training_sandbox_operator.decisions.pod_state import PodState, Stage, assess
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.situation import PoolSituation

_SHARE_REPLACED = 4


@dataclass(frozen=True, slots=True)
class Members:
    """The warm pods that no instance was promised, but for those that are ending.

    Attributes:
        current: of the present template, and young enough.
        outdated: of an earlier one, or too old; still good for a claim when they are claimable.
        claimable: those of the current and the outdated ones that a claim would get at once.
        broken: of no use any more, each with what has become of it.
        obstacle: what the first current pod that is not ready waits for.
        changes_at: when a pod is too old, or its state means something else.
    """

    current: Sequence[Pod]
    outdated: Sequence[Pod]
    claimable: Collection[Key]
    broken: Sequence[tuple[Pod, PodState]]
    obstacle: PodState | None
    changes_at: datetime | None

    @property
    def alive(self) -> int:
        """How many there are that are ready or may become so."""
        return len(self.current) + len(self.outdated)

    @property
    def ready(self) -> int:
        """How many there are that a claim would get at once."""
        return len(self.claimable)

    def lacking(self, target: int) -> int:
        """Return how many pods are to be made.

        While outdated ones are replaced, there are a quarter more than the target at most. Broken
        ones hold their place until they are deleted, which is not done at any rate.
        """
        wanted = target - len(self.current) - len(self.broken)
        extra = share_replaced(target, least=1) if self.outdated else 0
        return max(min(wanted, target + extra - self.alive - len(self.broken)), 0)

    def surplus(self, target: int) -> Iterator[Pod]:
        """Yield the pods that are not to be any more.

        Of the outdated ones those go that nobody can claim, and of the others so many that three
        quarters of the target stay ready.
        """
        too_many = len(self.current) - target
        if too_many > 0:
            yield from sorted(self.current, key=self._worth)[:too_many]
        spare = max(self.ready - (target - share_replaced(target, least=0)), 0)
        for pod in sorted(self.outdated, key=self._worth):
            if pod.key not in self.claimable:
                yield pod
            elif spare:
                spare -= 1
                yield pod

    def _worth(self, pod: Pod) -> tuple[bool, datetime | None, str]:
        """Order pods: what goes first cannot be claimed, or is the oldest."""
        return pod.key in self.claimable, pod.created_at, pod.key.name


def sort_members(
    situation: PoolSituation, pool: TrainingPool, template: str | None, now: datetime
) -> Members:
    """Look at the pool's warm pods.

    Args:
        situation: with the pods.
        pool: the situation's.
        template: hash of the present one, None when the catalogue does not tell.
        now: the present time.
    """
    current: list[Pod] = []
    outdated: list[Pod] = []
    broken: list[tuple[Pod, PodState]] = []
    obstacle: PodState | None = None
    changes_at: list[datetime] = []
    claimable: set[Key] = set()
    longest_age = pool.longest_age
    for pod in situation.warm:
        if pod.terminates_at is not None or pod.key in situation.promised:
            continue
        too_old_at = _too_old_at(longest_age, pod)
        if may_be_claimed(pod, situation.public_key):
            claimable.add(pod.key)
        else:
            state = assess(pod, now)
            if state.stage is Stage.LOST:
                broken.append((pod, state))
                continue
            if state.stage is not Stage.SERVING:
                obstacle = obstacle or state
            if state.changes_at is not None:
                changes_at.append(state.changes_at)
        if (template is not None and pod.template != template) or (
            too_old_at is not None and now >= too_old_at
        ):
            outdated.append(pod)
        else:
            current.append(pod)
            if too_old_at is not None:
                changes_at.append(too_old_at)
    soonest = min(changes_at, default=None)
    return Members(current, outdated, claimable, broken, obstacle, soonest)


def share_replaced(target: int, *, least: int) -> int:
    """Return how many pods are replaced at a time."""
    return max(target // _SHARE_REPLACED, least)


def _too_old_at(age: timedelta | None, pod: Pod) -> datetime | None:
    return pod.created_at + age if age is not None and pod.created_at is not None else None
