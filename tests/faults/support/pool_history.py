"""What the record of a namespace says of its pools: none makes more pods than it is to have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from tests.faults.support.objects import is_ready
from tests.faults.support.seen import INSTANCES, PODS, POOLS, Object, Seen
from training_sandbox_operator.decisions.pool_members import share_replaced
from training_sandbox_operator.model.names import TEMPLATE_LABEL

# An operator whose watches lag goes on with a claim for an instance that is gone.
_LAG = timedelta(seconds=5)


def over_creations(events: Sequence[Seen], by_hand: Collection[str]) -> Iterator[str]:
    """Pods that a pool had made although it had enough.

    It may have as many as it was ever to have, and a quarter more, at least one, while there are
    some of another template: those are replaced. A pod that is promised to an instance counts no
    more for the operator, and is the pool's until it is claimed. Nobody is told of promises; what
    comes of one is that the instance, which waits, has one of these pods later, or ends without.
    """
    pools: dict[str, _Pool] = {}
    waits: dict[str, _Waits] = defaultdict(lambda: _Waits(_first_pods(events)))
    for event in events:
        if event.kind == POOLS:
            pools.setdefault(event.uid, _Pool(event.name)).observe(event)
        elif event.kind == INSTANCES:
            waits[event.one["spec"].get("poolRef", {}).get("name", "")].observe(event)
        elif event.kind == PODS:
            owner = event.owner
            for waiting in waits.values():
                waiting.give(owner)
            for uid, pool in pools.items():
                is_own = owner is not None and owner["uid"] == uid
                if not (is_own and not event.is_ending and event.uid not in by_hand):
                    pool.pods.pop(event.uid, None)
                elif pool.takes(event):
                    promised = min(waits[pool.name].count(pool.pods, event.at), pool.ready)
                    if len(pool.pods) > pool.bound + promised:
                        yield (
                            f"pool {pool.name} made {event.name}, its {len(pool.pods)}th pod of "
                            f"{pool.bound}, of which {promised} may have been promised"
                        )


def _first_pods(events: Iterable[Seen]) -> dict[str, str]:
    """The UID of the pod that each owner had first, by the owner's."""
    pods: dict[str, str] = {}
    for event in events:
        owner = event.owner if event.kind == PODS else None
        if owner is not None:
            pods.setdefault(owner["uid"], event.uid)
    return pods


class _Pool:
    """One pool, as far as it was seen.

    Attributes:
        pods: the template of each that is its own and does not end, by UID.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.pods: dict[str, str] = {}
        self._most = 0
        self._ever_ready: set[str] = set()

    def observe(self, event: Seen) -> None:
        spec = event.one["spec"]
        self._most = max(self._most, spec.get("maxReplicas", spec.get("replicas", 0)))

    def takes(self, event: Seen) -> bool:
        """Take in a pod; returns whether it is a new one."""
        is_new = event.uid not in self.pods
        if is_ready(event.one):
            self._ever_ready.add(event.uid)
        self.pods[event.uid] = event.one["metadata"].get("labels", {}).get(TEMPLATE_LABEL, "")
        return is_new

    @property
    def ready(self) -> int:
        """How many of its pods are ready, or were."""
        return len(self._ever_ready & self.pods.keys())

    @property
    def bound(self) -> int:
        is_rolling = len(set(self.pods.values())) > 1
        return self._most + (share_replaced(self._most, least=1) if is_rolling else 0)


class _Waits:
    """The instances that name one pool and have no pod.

    Args:
        pods: the UID of the pod that each will have.
    """

    def __init__(self, pods: Mapping[str, str]) -> None:
        self._pods = pods
        self._waiting: set[str] = set()
        self._served: set[str] = set()
        self._gone_at: dict[str, datetime] = {}

    def observe(self, event: Seen) -> None:
        if event.one.get("status", {}).get("podUID"):
            self._serve(event.uid)
        if event.uid in self._served:
            return
        if not event.is_ending:
            self._waiting.add(event.uid)
        elif event.uid in self._waiting:
            self._waiting.discard(event.uid)
            self._gone_at[event.uid] = event.at

    def give(self, owner: Object | None) -> None:
        """Take in who owns a pod."""
        if owner is not None:
            self._serve(owner["uid"])

    def count(self, pods: Collection[str], now: datetime) -> int:
        """Return how many wait, or did just now, and will have one of these pods or none."""
        waiting = {*self._waiting, *(uid for uid, at in self._gone_at.items() if now - at < _LAG)}
        return sum(uid not in self._pods or self._pods[uid] in pods for uid in waiting)

    def _serve(self, uid: str) -> None:
        self._served.add(uid)
        self._waiting.discard(uid)
        self._gone_at.pop(uid, None)
