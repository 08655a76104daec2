"""What the operator knows of pools: their warm pods, and who waits for them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from training_sandbox_operator.control.burials import Burials
from training_sandbox_operator.decisions.claims import may_be_claimed, share_out
from training_sandbox_operator.model.catalogue import Catalogue
from training_sandbox_operator.model.demand import Demand
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.situation import PoolSituation, Refusal

_SIZES = {"replicas", "minReplicas", "maxReplicas"}


@dataclass(slots=True)
class _Record:
    """One pool, or what names it.

    Attributes:
        warm: its pods that nobody has claimed.
        available: those of them that can be promised, the first that became so first.
        leaving: those of them that are about to be deleted.
        obstacles: pods that have one of its names, and that no watch tells of.
        unanswered: numbers of pods that are asked for, or were without an answer.
        waiting: instances without a pod and without a promise, by UID.
        promises: what instances are about to claim, by UID of the instance.
        told: the instances that were told that there was none, by UID.
    """

    pool: TrainingPool | None = None
    warm: dict[Key, Pod] = field(default_factory=dict[Key, Pod])
    available: dict[Key, Pod] = field(default_factory=dict[Key, Pod])
    leaving: set[Key] = field(default_factory=set[Key])
    obstacles: set[Key] = field(default_factory=set[Key])
    unanswered: set[int] = field(default_factory=set[int])
    waiting: dict[str, TrainingInstance] = field(default_factory=dict[str, TrainingInstance])
    promises: dict[str, Key] = field(default_factory=dict[str, Key])
    promised: dict[Key, TrainingInstance] = field(default_factory=dict[Key, TrainingInstance])
    told: dict[str, TrainingInstance] = field(default_factory=dict[str, TrainingInstance])
    refusal: Refusal | None = None
    failure: Refusal | None = None
    demand: Demand | None = None
    told_at: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.pool or self.warm or self.waiting or self.promises or self.told)


class PoolTable:
    """The pools of the cache.

    Args:
        on_change: called with the key of a pool that is to be looked at.
        on_claims: called with the key of a pool some of whose pods can be promised now.
        on_news: called with the key of an instance that is told something about its claim.
        clock: the present time.
    """

    def __init__(
        self,
        *,
        on_change: Callable[[Key], None],
        on_claims: Callable[[Key], None],
        on_news: Callable[[Key], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._on_change = on_change
        self._on_claims = on_claims
        self._on_news = on_news
        self._clock = clock
        self._records: dict[Key, _Record] = {}
        self._buried = Burials()
        self._public_key: str | None = None

    @property
    def pools(self) -> Iterator[TrainingPool]:
        """All pools."""
        return (record.pool for record in self._records.values() if record.pool is not None)

    def set_public_key(self, public_key: str | None) -> None:
        """Take in the key that this operator signs tokens by; before anything is stored."""
        self._public_key = public_key

    def get(self, key: Key) -> TrainingPool | None:
        """Return the pool of that name, or None."""
        record = self._records.get(key)
        return record.pool if record else None

    def situation(
        self, key: Key, catalogue: Catalogue, is_taken: Callable[[Key], bool]
    ) -> PoolSituation:
        """Return all that is known about one pool."""
        record = self._records.get(key) or _Record()
        ending = [pod for pod in record.warm.values() if pod.terminates_at is not None]
        pool = record.pool
        if pool is None:
            return PoolSituation(None, ending=ending)
        return PoolSituation(
            pool=pool,
            warm=[pod for pod in record.warm.values() if _belongs_to(pod, pool)],
            ending=ending,
            promised=record.promised.keys(),
            waiting=sum(_may_claim(one, pool) for one in record.waiting.values()),
            is_taken=lambda name: name in record.obstacles or is_taken(name),
            unanswered=record.unanswered,
            environment=catalogue.get(pool.env_type),
            known_environments=catalogue.names,
            allowed=catalogue.allowed,
            refusal=record.refusal,
            failure=record.failure,
            demand=record.demand,
            told_at=record.told_at,
            public_key=self._public_key,
        )

    def store_pool(self, pool: TrainingPool) -> None:
        """Take in a version of a pool."""
        if self._buried.cover(pool):
            return
        record = self._records.setdefault(pool.key, _Record())
        known = record.pool
        if known is not None and known.resource_version > pool.resource_version:
            return
        record.pool = pool
        if known is None or known.uid != pool.uid:
            record.refusal = record.failure = record.told_at = None
            record.unanswered.clear()
            record.demand = Demand.unknown(self._clock())
        if known != pool:
            self._on_change(pool.key)
        if known is None or _for_claims(known) != _for_claims(pool):
            self._on_claims(pool.key)
            self._tell(record)

    def remove_pool(self, key: Key, uid: str) -> None:
        """Take in that this pool is gone; a later one of the same name is not meant."""
        record = self._records.get(key)
        if record is None or record.pool is None or record.pool.uid != uid:
            return
        record.pool = None
        self._tell(record)
        self._forget_if_empty(key, record)

    def bury_pool(self, key: Key, uid: str) -> None:
        """Take in that this pool is gone for good, whatever is told of it later."""
        self._buried.add(uid)
        self.remove_pool(key, uid)

    def store_pod(self, pod: Pod) -> None:
        """Take in a version of a warm pod."""
        key = pool_key(pod)
        record = self._records.setdefault(key, _Record())
        known = record.warm.get(pod.key)
        record.warm[pod.key] = pod
        self._renew_availability(key, record, pod)
        if pod.is_ready and (known is None or not known.is_ready):
            record.failure = None
        if known != pod:
            self._on_change(key)

    def remove_pod(self, pod: Pod) -> None:
        """Take in that a warm pod is gone, or claimed."""
        key = pool_key(pod)
        record = self._records.get(key)
        if record is None or record.warm.pop(pod.key, None) is None:
            return
        record.available.pop(pod.key, None)
        record.leaving.discard(pod.key)
        self._break_promise(key, record, pod.key)
        self._on_change(key)
        self._forget_if_empty(key, record)

    def wait(self, instance: TrainingInstance) -> None:
        """Take in that an instance has no pod and wants one."""
        key = _named_by(instance)
        record = self._records.setdefault(key, _Record())
        uid = instance.uid
        if uid in record.waiting:
            record.waiting[uid] = instance
            return
        if uid in record.promises:
            record.promised[record.promises[uid]] = instance
            return
        if uid in record.told:
            record.told[uid] = instance
            return
        record.waiting[uid] = instance
        may_claim = record.pool is None or _may_claim(instance, record.pool)
        if record.demand is not None and may_claim:
            record.demand = record.demand.with_claim(self._clock())
        self._on_claims(key)

    def stop_waiting(self, instance: TrainingInstance) -> None:
        """Take in that an instance has a pod, or wants none any more."""
        key = _named_by(instance)
        record = self._records.get(key)
        if record is None:
            return
        record.told.pop(instance.uid, None)
        waited = record.waiting.pop(instance.uid, None)
        promised = record.promises.pop(instance.uid, None)
        if promised is not None:
            del record.promised[promised]
            if promised in record.warm:
                self._renew_availability(key, record, record.warm[promised])
        if waited is not None or promised is not None:
            self._on_change(key)
        self._forget_if_empty(key, record)

    def share_out(self, key: Key) -> None:
        """Promise the pool's pods that are ready to the instances that wait for them."""
        record = self._records.get(key)
        pool = record.pool if record is not None else None
        if record is None or pool is None or pool.is_being_deleted:
            return
        waiting = [
            instance
            for instance in record.waiting.values()
            if _may_claim(instance, pool) and (record.available or instance.uid not in record.told)
        ]
        # One by one: of a thousand there may be one instance that waits.
        available = (pod for pod in record.available.values() if _belongs_to(pod, pool))
        promises = list(share_out(waiting, available, pool.status.get("templateHash", "")))
        for promise in promises:
            instance, pod = promise.instance, promise.pod
            if pod is not None:
                del record.available[pod.key], record.waiting[instance.uid]
                record.promises[instance.uid] = pod.key
                record.promised[pod.key] = instance
            elif instance.uid in record.told:
                continue
            else:
                record.told[instance.uid] = instance
                if instance.may_start_cold:
                    del record.waiting[instance.uid]
            self._on_news(instance.key)
        if waiting:
            self._on_change(key)

    def promised_to(self, instance: TrainingInstance) -> Pod | None:
        """Return the warm pod that the instance is to claim."""
        record = self._records.get(_named_by(instance))
        pod = record.promises.get(instance.uid) if record else None
        return record.warm.get(pod) if record and pod else None

    def was_empty_for(self, instance: TrainingInstance) -> bool:
        """Return whether the instance was told that there is no pod for it."""
        record = self._records.get(_named_by(instance))
        return record is not None and instance.uid in record.told

    def tell(self, instance: Key) -> None:
        """Have an instance looked at at once: its claim has come further."""
        self._on_news(instance)

    def set_leaving(self, key: Key, pods: Iterable[Key]) -> None:
        """Promise these pods to nobody: they are about to be deleted."""
        record = self._records.setdefault(key, _Record())
        for pod in pods:
            record.leaving.add(pod)
            record.available.pop(pod, None)

    def set_staying(self, key: Key, pods: Iterable[Key]) -> None:
        """Take back ``set_leaving``, for those that are still there."""
        record = self._records.get(key)
        if record is None:
            return
        for pod in pods:
            record.leaving.discard(pod)
            if pod in record.warm:
                self._renew_availability(key, record, record.warm[pod])

    def note_status(self, key: Key) -> None:
        """Remember that the pool's status was written now."""
        if key in self._records:
            self._records[key].told_at = self._clock()

    def note_refusal(self, key: Key, reason: str | None, message: str = "") -> None:
        """Remember why the pool's last pod was refused; None when it was not."""
        record = self._records.get(key)
        if record is None or (reason is None and record.refusal is None):
            return
        record.refusal = self._once_more(record.refusal, reason, message) if reason else None
        self._on_change(key)

    def note_obstacle(self, key: Key, pod: Key) -> None:
        """Remember that a pod has one of the pool's names and is not to be counted with it."""
        record = self._records.get(key)
        if record is not None:
            record.obstacles.add(pod)
            self._on_change(key)

    def note_request(self, pool: TrainingPool, number: int) -> None:
        """Remember that a pod is asked for, which may be made though nobody says so."""
        record = self._records.get(pool.key)
        if record is not None and record.pool is not None and record.pool.uid == pool.uid:
            record.unanswered.add(number)

    def note_answer(self, pool: TrainingPool, number: int) -> None:
        """Remember that it is known whether this pod was made."""
        record = self._records.get(pool.key)
        if record is not None:
            record.unanswered.discard(number)

    def note_failure(self, key: Key, reason: str, message: str) -> None:
        """Remember that a pod of the pool failed before anybody claimed it."""
        record = self._records.get(key)
        if record is not None:
            record.failure = self._once_more(record.failure, reason, message)

    def forget_refusals(self) -> None:
        """Have everything tried again: the catalogue has changed."""
        for key, record in self._records.items():
            record.refusal = record.failure = None
            self._on_change(key)

    def refusal_of(self, key: Key) -> Refusal | None:
        """Return why the pool's last pod was refused, if it was."""
        record = self._records.get(key)
        return record.refusal if record else None

    def _once_more(self, before: Refusal | None, reason: str, message: str) -> Refusal:
        """Return a failure that counts as one with those of the same attempt."""
        now = self._clock()
        if before is not None and now < before.retry_at:
            return before
        return Refusal.after(before, now, reason, message)

    def _renew_availability(self, key: Key, record: _Record, pod: Pod) -> None:
        if not may_be_claimed(pod, self._public_key):
            record.available.pop(pod.key, None)
            self._break_promise(key, record, pod.key)
        elif pod.key in record.available:
            record.available[pod.key] = pod
        elif pod.key not in record.promised and pod.key not in record.leaving:
            record.available[pod.key] = pod
            if record.waiting:
                self._on_claims(key)

    def _break_promise(self, key: Key, record: _Record, pod: Key) -> None:
        instance = record.promised.pop(pod, None)
        if instance is None:
            return
        del record.promises[instance.uid]
        record.waiting[instance.uid] = instance
        self._on_claims(key)

    def _tell(self, record: _Record) -> None:
        for instance in {**record.told, **record.waiting}.values():
            self._on_news(instance.key)

    def _forget_if_empty(self, key: Key, record: _Record) -> None:
        if record.is_empty:
            self._records.pop(key, None)


def pool_key(pod: Pod) -> Key:
    """Return the key of the pool that a warm pod belongs to."""
    return Key(pod.key.namespace, pod.owner.name if pod.owner is not None else "")


def _named_by(instance: TrainingInstance) -> Key:
    return Key(instance.key.namespace, instance.pool_name or "")


def _belongs_to(pod: Pod, pool: TrainingPool) -> bool:
    return pod.owner is not None and pod.owner.uid == pool.uid


def _may_claim(instance: TrainingInstance, pool: TrainingPool) -> bool:
    return instance.env_type == pool.env_type and instance.oversize is None


def _for_claims(pool: TrainingPool) -> tuple[object, ...]:
    """Return what of a pool instances go by: all but its size, which may change every second."""
    spec = {name: value for name, value in pool.spec.items() if name not in _SIZES}
    return pool.uid, pool.is_being_deleted, spec
