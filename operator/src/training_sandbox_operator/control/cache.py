"""What the operator knows: the latest version of every object, and what it was answered.

Nothing here outlives the process: everything is rebuilt from a LIST.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from training_sandbox_operator.control.burials import Burials
from training_sandbox_operator.control.pool_table import PoolTable
from training_sandbox_operator.model.catalogue import Catalogue
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import (
    Key,
    instance_of_token_secret,
    token_secret_name,
)
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.server import ServerAnswer
from training_sandbox_operator.model.situation import (
    PoolSituation,
    Refusal,
    Situation,
    WrittenToken,
)
from training_sandbox_operator.model.token_secret import TokenSecret


@dataclass(slots=True)
class _Memory:
    """What was answered about one instance; forgotten with it."""

    refusal: Refusal | None = None
    token_refusal: Refusal | None = None
    token_written: WrittenToken | None = None
    answer: ServerAnswer | None = None


class Cache:
    """The objects by key, fed by watches, lists and the answers to the operator's own writes.

    These come in any order: of two versions of an object the newer one stays, so that the operator
    never acts on something older than what it has written itself. Resource versions are compared
    as whole numbers, which is what the API server makes them (KEP-5504).

    Args:
        on_change: called with the key of the instance whose situation is another one now.
        pools: told of warm pods, and of the instances that wait for one.
    """

    def __init__(self, on_change: Callable[[Key], None], pools: PoolTable) -> None:
        self._on_change = on_change
        self.pools = pools
        self._instances: dict[Key, TrainingInstance] = {}
        self._pods: dict[Key, Pod] = {}
        self._pods_by_owner: defaultdict[Key, set[Key]] = defaultdict(set)
        self._secrets: dict[Key, TokenSecret] = {}
        self._memories: dict[str, _Memory] = {}
        self._buried = Burials()
        self._public_key: str | None = None
        self._asks_since: datetime | None = None

    @property
    def instances(self) -> Collection[TrainingInstance]:
        """All instances."""
        return self._instances.values()

    @property
    def pods(self) -> Collection[Pod]:
        """All pods that an operator has made."""
        return self._pods.values()

    @property
    def secrets(self) -> Collection[TokenSecret]:
        """All Secrets with tokens."""
        return self._secrets.values()

    def set_public_key(self, public_key: str | None) -> None:
        """Take in the key that this operator signs by; before anything is stored."""
        self._public_key = public_key
        self.pools.set_public_key(public_key)

    def set_asks_since(self, moment: datetime) -> None:
        """Take in that no answer of before this moment is known."""
        self._asks_since = moment

    def situation(self, key: Key, catalogue: Catalogue) -> Situation:
        """Return all that is known about one key."""
        instance = self._instances.get(key)
        pods = tuple(self._pods[pod] for pod in sorted(self._pods_by_owner.get(key, ())))
        if instance is None:
            return Situation(None, pods)
        memory = self._memories.get(instance.uid) or _Memory()
        pool, promised, pool_was_empty = None, None, False
        if instance.pool_name is not None:
            pool = self.pools.get(Key(key.namespace, instance.pool_name))
            promised = self.pools.promised_to(instance)
            pool_was_empty = self.pools.was_empty_for(instance)
        return Situation(
            instance=instance,
            pods=pods,
            environment=catalogue.get(instance.env_type),
            known_environments=catalogue.names,
            allowed=catalogue.allowed,
            refusal=memory.refusal,
            answer=memory.answer,
            asks_since=self._asks_since,
            pool=pool,
            promised=promised,
            pool_was_empty=pool_was_empty,
            public_key=self._public_key,
            token_secret=self._secrets.get(key._replace(name=token_secret_name(key.name))),
            token_refusal=memory.token_refusal,
            token_written=memory.token_written,
        )

    def pool_situation(self, key: Key, catalogue: Catalogue) -> PoolSituation:
        """Return all that is known about one pool."""
        return self.pools.situation(key, catalogue, self._pods.__contains__)

    def store_instance(self, instance: TrainingInstance) -> None:
        """Take in a version of an instance."""
        known = self._instances.get(instance.key)
        if known is not None and known.resource_version > instance.resource_version:
            return
        if self._buried.cover(instance):
            return
        if known is not None and known.uid != instance.uid:
            self._memories.pop(known.uid, None)
            self._stop_waiting(known)
        self._instances[instance.key] = instance
        self._renew_claim(instance.key)
        if known != instance:
            self._on_change(instance.key)

    def remove_instance(self, key: Key, uid: str) -> None:
        """Take in that this instance is gone; a later one of the same name is not meant."""
        known = self._instances.get(key)
        self._memories.pop(uid, None)
        if known is not None and known.uid == uid:
            del self._instances[key]
            self._stop_waiting(known)
            self._on_change(key)

    def bury_instance(self, key: Key, uid: str) -> None:
        """Take in that this instance is gone for good, whatever is told of it later."""
        self._buried.add(uid)
        self.remove_instance(key, uid)

    def store_pod(self, pod: Pod) -> None:
        """Take in a version of a pod."""
        known = self._pods.get(pod.key)
        if known is not None and known.resource_version > pod.resource_version:
            return
        if self._buried.cover(pod):
            return
        if not pod.is_labelled:
            self.bury_pod(pod)
            return
        self._pods[pod.key] = pod
        if known is not None and (known.owner, known.uid) != (pod.owner, pod.uid):
            self._detach(known)
        if pod.is_warm:
            self.pools.store_pod(pod)
            return
        owner = _owner_key(pod)
        if owner is None:
            return
        self._pods_by_owner[owner].add(pod.key)
        self._renew_claim(owner)
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
        if owner is not None and not known.is_warm:
            self._renew_claim(owner)
            self._on_change(owner)

    def bury_pod(self, pod: Pod) -> None:
        """Take in that a pod is gone since this version, or not labelled any more, which is as bad.

        The answer to its deletion may have the version of its end.
        """
        self._buried.add(pod.uid, pod.resource_version + 1)
        known = self._pods.get(pod.key)
        if known is not None and self._buried.cover(known):
            self.remove_pod(pod.key, pod.uid)

    def store_secret(self, secret: TokenSecret) -> None:
        """Take in a version of a Secret with a token."""
        known = self._secrets.get(secret.key)
        if known is not None and known.resource_version > secret.resource_version:
            return
        if self._buried.cover(secret):
            return
        self._secrets[secret.key] = secret
        if known != secret:
            self._on_change(_instance_key(secret.key))

    def remove_secret(self, key: Key, uid: str) -> None:
        """Take in that this Secret is gone; a later one of the same name is not meant."""
        known = self._secrets.get(key)
        if known is not None and known.uid == uid:
            del self._secrets[key]
            self._on_change(_instance_key(key))

    def bury_secret(self, secret: TokenSecret) -> None:
        """Take in that a Secret is gone, or is not labelled any more, since this version.

        A watch that goes by labels tells the same of both: what is read of it later is true.
        """
        self._buried.add(secret.uid, secret.resource_version)
        known = self._secrets.get(secret.key)
        if known is not None and self._buried.cover(known):
            self.remove_secret(secret.key, secret.uid)

    def store_token_refusal(self, instance: TrainingInstance, refusal: Refusal | None) -> None:
        """Remember why the instance's token could not be written; None when it was."""
        memory = self._remember(instance.key, instance.uid)
        if memory is not None and memory.token_refusal != refusal:
            memory.token_refusal = refusal
            self._on_change(instance.key)

    def note_token_written(self, instance: TrainingInstance, written: WrittenToken) -> None:
        """Remember that a token of the instance was written."""
        memory = self._remember(instance.key, instance.uid)
        if memory is not None:
            memory.token_written = written

    def token_refusal_of(self, uid: str) -> Refusal | None:
        """Return why this instance's token could not be written, if it could not."""
        memory = self._memories.get(uid)
        return memory.token_refusal if memory else None

    def awaits_start(self, key: Key, now: datetime) -> bool:
        """Return whether there is an instance that has, and had, no pod, and is promised none.

        One that goes, or whose time is over, does not start any more.
        """
        instance = self._instances.get(key)
        if instance is None or instance.pod_uid is not None or instance.is_terminal:
            return False
        if instance.is_being_deleted or instance.expires_at(None, failed=False) <= now:
            return False
        if instance.pool_name is not None and self.pools.promised_to(instance) is not None:
            return False
        return not self._has_own_pod(instance)

    def is_told(self, key: Key) -> bool:
        """Return whether there is no instance, or one that has a status."""
        instance = self._instances.get(key)
        return instance is None or bool(instance.status)

    def look_again(self, key: Key) -> None:
        """Have the instance looked at, before others, though nothing may have changed."""
        self.pools.tell(key)

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
            memory.refusal = memory.token_refusal = None
        self.pools.forget_refusals()

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

    def _renew_claim(self, key: Key) -> None:
        """Tell the pool that an instance names whether it waits for a pod."""
        instance = self._instances.get(key)
        if instance is None or instance.pool_name is None:
            return
        has_pod = instance.pod_uid is not None or self._has_own_pod(instance)
        if has_pod or instance.is_being_deleted or instance.is_terminal:
            self.pools.stop_waiting(instance)
        else:
            self.pools.wait(instance)

    def _has_own_pod(self, instance: TrainingInstance) -> bool:
        owners = (self._pods[pod].owner for pod in self._pods_by_owner.get(instance.key, ()))
        return any(owner is not None and owner.uid == instance.uid for owner in owners)

    def _stop_waiting(self, instance: TrainingInstance) -> None:
        if instance.pool_name is not None:
            self.pools.stop_waiting(instance)

    def _detach(self, pod: Pod) -> None:
        if pod.is_warm:
            self.pools.remove_pod(pod)
            return
        owner = _owner_key(pod)
        if owner is None:
            return
        siblings = self._pods_by_owner[owner]
        siblings.discard(pod.key)
        if not siblings:
            del self._pods_by_owner[owner]


def _instance_key(secret: Key) -> Key:
    return secret._replace(name=instance_of_token_secret(secret.name))


def _owner_key(pod: Pod) -> Key | None:
    return Key(pod.key.namespace, pod.owner.name) if pod.owner is not None else None
