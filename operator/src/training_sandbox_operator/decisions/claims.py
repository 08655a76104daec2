"""The decisions which warm pod may be claimed, and which instance gets it."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod


@dataclass(frozen=True, slots=True)
class Promise:
    """What an instance that waits for a warm pod is told: this one, or that there is none."""

    instance: TrainingInstance
    pod: Pod | None


def may_be_claimed(pod: Pod, public_key: str | None) -> bool:
    """Return whether a claim would get this warm pod at once, if it is not promised to another.

    Args:
        pod: the warm pod.
        public_key: of the key that this operator signs tokens with; None when it signs none. Of a
            server that checks tokens by another key nobody could be given one.
    """
    is_usable = pod.public_key in {"", public_key}
    return is_usable and pod.is_ready and bool(pod.ip) and pod.terminates_at is None


def share_out(
    waiting: Collection[TrainingInstance], available: Iterable[Pod], template: str
) -> Iterator[Promise]:
    """Yield a promise for every instance that waits; the one that has waited longest comes first.

    Args:
        waiting: instances that have no pod and no promise.
        available: warm pods that are ready and not promised, in the order to give them out.
        template: hash of the present one; pods of others are given when these are used up.
    """
    if not waiting:
        return
    pods = iter(_current_first(available, template))
    for instance in sorted(waiting, key=lambda one: (one.created_at, one.key.name)):
        yield Promise(instance, next(pods, None))


def _current_first(available: Iterable[Pod], template: str) -> Iterator[Pod]:
    outdated: list[Pod] = []
    for pod in available:
        if pod.template == template:
            yield pod
        else:
            outdated.append(pod)
    yield from outdated
