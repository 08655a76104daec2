"""What the operator knows: the latest version of every object, and what it was answered.

Nothing here outlives the process: everything is rebuilt from a LIST.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from training_sandbox_operator.model.catalogue import Catalogue
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.server import ServerAnswer
from training_sandbox_operator.model.situation import Refusal, Situation


@dataclass(slots=True)
class _Memory:
    """What was answered about one instance; forgotten with it."""

    refusal: Refusal | None = None
    answer: ServerAnswer | None = None


class Cache:
    """The objects by key, fed by watches, lists and the answers to the operator's own writes.

    These come in any order: of two versions of an object the newer one stays, so that the operator
    never acts on something older than what it has written itself. Resource versions are compared
    as whole numbers, which is what the API server makes them (KEP-5504).

    Args:
        on_change: called with the key of the instance whose situation is another one now.
    """

    def __init__(self, on_change: Callable[[Key], None]) -> None:
        self._on_change = on_change
        self._instances: dict[Key, TrainingInstance] = {}
        self._pods: dict[Key, Pod] = {}
        self._pods_by_owner: defaultdict[Key, set[Key]] = defaultdict(set)
        self._memories: dict[str, _Memory] = {}

    @property
    def instances(self) -> Collection[TrainingInstance]:
        """All instances."""
        return self._instances.values()

    @property
    def pods(self) -> Collection[Pod]:
        """All pods that an operator has made."""
        return self._pods.values()

    def situation(self, key: Key, catalogue: Catalogue) -> Situation:
        """Return all that is known about one key."""
        instance = self._instances.get(key)
        pods = tuple(self._pods[pod] for pod in sorted(self._pods_by_owner.get(key, ())))
        if instance is None:
            return Situation(None, pods)
        memory = self._memories.get(instance.uid) or _Memory()
        return Situation(
            instance=instance,
            pods=pods,
            environment=catalogue.get(instance.env_type),
            known_environments=catalogue.names,
            refusal=memory.refusal,
            answer=memory.answer,
        )

    def store_instance(self, instance: TrainingInstance) -> None:
        """Take in a version of an instance."""
        known = self._instances.get(instance.key)
        if known is not None and known.resource_version > instance.resource_version:
            return
        if known is not None and known.uid != instance.uid:
            self._memories.pop(known.uid, None)
        self._instances[instance.key] = instance
        if known != instance:
            self._on_change(instance.key)

    def remove_instance(self, key: Key, uid: str) -> None:
        """Take in that this instance is gone; a later one of the same name is not meant."""
        known = self._instances.get(key)
        self._memories.pop(uid, None)
        if known is not None and known.uid == uid:
            del self._instances[key]
            self._on_change(key)

    def store_pod(self, pod: Pod) -> None:
        """Take in a version of a pod."""
        known = self._pods.get(pod.key)
        if known is not None and known.resource_version > pod.resource_version:
            return
        self._detach(known)
        self._pods[pod.key] = pod
        owner = _owner_key(pod)
        if owner is None:
            return
        self._pods_by_owner[owner].add(pod.key)
        if known != pod:
            self._on_change(owner)

    def remove_pod(self, key: Key, uid: str) -> None:
        """Take in that this pod is gone; a later one of the same name is not meant."""
        known = self._pods.get(key)
        if known is None or known.uid != uid:
            return
        del self._pods[key]
        self._detach(known)
        owner = _owner_key(known)
        if owner is not None:
            self._on_change(owner)

    def store_refusal(self, instance: TrainingInstance, refusal: Refusal | None) -> None:
        """Remember why the instance's pod was refused; None when it was not."""
        memory = self._remember(instance.key, instance.uid)
        if memory is not None and memory.refusal != refusal:
            memory.refusal = refusal
            self._on_change(instance.key)

    def refusal_of(self, uid: str) -> Refusal | None:
        """Return why this instance's pod was refused last, if it was."""
        memory = self._memories.get(uid)
        return memory.refusal if memory else None

    def forget_refusals(self) -> None:
        """Have all refused pods tried again: the catalogue has changed."""
        for memory in self._memories.values():
            memory.refusal = None

    def store_answer(self, key: Key, uid: str, answer: ServerAnswer) -> None:
        """Remember what the instance's server has answered."""
        memory = self._remember(key, uid)
        if memory is not None:
            memory.answer = answer
            self._on_change(key)

    def answer_of(self, uid: str) -> ServerAnswer | None:
        """Return what this instance's server answered last, if it was asked."""
        memory = self._memories.get(uid)
        return memory.answer if memory else None

    def all_keys(self) -> Iterator[Key]:
        """Yield the key of everything there is: of instances, and of pods without theirs."""
        yield from list(self._instances)
        yield from [owner for owner in self._pods_by_owner if owner not in self._instances]

    def _remember(self, key: Key, uid: str) -> _Memory | None:
        """Return the memory of a living instance; answers that come too late are dropped."""
        instance = self._instances.get(key)
        if instance is None or instance.uid != uid:
            return None
        return self._memories.setdefault(uid, _Memory())

    def _detach(self, pod: Pod | None) -> None:
        owner = _owner_key(pod) if pod is not None else None
        if pod is None or owner is None:
            return
        siblings = self._pods_by_owner[owner]
        siblings.discard(pod.key)
        if not siblings:
            del self._pods_by_owner[owner]


def _owner_key(pod: Pod) -> Key | None:
    return Key(pod.key.namespace, pod.owner.name) if pod.owner is not None else None
