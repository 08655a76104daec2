"""A cluster whose watch tells of what has happened as late as it likes, and an operator of it.

The operator's own memory and decisions act on it; it answers writes at once or not at all.
"""

import copy
from collections import deque
from collections.abc import Callable
from datetime import datetime

from tests.operator import builders as build
from tests.operator.fake_cluster import Object, apply_patch
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.pool_table import PoolTable
from training_sandbox_operator.decisions.actions import (
    Action,
    ClaimPod,
    CreatePod,
    CreateWarmPod,
    DeletePod,
    DeleteWarmPod,
    WritePoolStatus,
    WriteStatus,
)
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.decisions.pod_spec import build_claim
from training_sandbox_operator.decisions.pool_plan import plan_pool
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.timestamps import format_timestamp

Change = tuple[str, bool, Object]


class RefusedError(Exception):
    """The cluster did not do it: a precondition does not hold, or the object is there, or gone."""


class Cluster:
    """The truth; every change is appended to the watches that follow it."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}
        self.version = 100
        self.watches: list[deque[Change]] = []
        self.owners: dict[str, set[str]] = {}

    def put(self, kind: str, one: Object) -> Object:
        self.version += 1
        metadata = one["metadata"]
        metadata.setdefault("uid", f"{self.version:08d}-uid")
        metadata["resourceVersion"] = str(self.version)
        self.objects[kind, metadata["name"]] = one
        if kind == "pods":
            (owner,) = metadata["ownerReferences"]
            if owner["kind"] == "TrainingInstance":
                self.owners.setdefault(metadata["uid"], set()).add(owner["uid"])
        self._tell(kind, one, gone=False)
        return copy.deepcopy(one)

    def create(self, kind: str, one: Object) -> Object:
        if (kind, one["metadata"]["name"]) in self.objects:
            raise RefusedError
        return self.put(kind, copy.deepcopy(one))

    def get(self, kind: str, name: str) -> Object:
        if (kind, name) not in self.objects:
            raise RefusedError
        return copy.deepcopy(self.objects[kind, name])

    def of_kind(self, kind: str) -> list[Object]:
        return [one for (of, _), one in self.objects.items() if of == kind]

    def remove(self, kind: str, name: str) -> None:
        self.version += 1
        one = self.objects.pop((kind, name))
        one["metadata"]["resourceVersion"] = str(self.version)
        self._tell(kind, one, gone=True)

    def _tell(self, kind: str, one: Object, *, gone: bool) -> None:
        for watch in self.watches:
            watch.append((kind, gone, copy.deepcopy(one)))


class Operator:
    """One life of an operator: what it knows, and what it does about it."""

    def __init__(self, cluster: Cluster, clock: Callable[[], datetime]) -> None:
        self.cluster = cluster
        self.clock = clock
        self.claims: set[Key] = set()
        self.cache = Cache(
            lambda _: None,
            PoolTable(
                on_change=lambda _: None,
                on_claims=self.claims.add,
                on_news=lambda _: None,
                clock=clock,
            ),
        )
        self.watch: deque[Change] = deque()
        for kind in ("trainingpools", "traininginstances", "pods"):
            for one in cluster.of_kind(kind):
                self._take_in(kind, gone=False, one=one)
        cluster.watches.append(self.watch)

    def hear(self, count: int) -> None:
        for _ in range(min(count, len(self.watch))):
            kind, gone, one = self.watch.popleft()
            self._take_in(kind, gone=gone, one=one)

    def work(self, answered: Callable[[], bool] = lambda: True) -> int:
        """Look at everything once; returns how many actions there were."""
        while self.claims:
            self.cache.pools.share_out(self.claims.pop())
        actions: list[Action] = []
        for key in list(self.cache.all_keys()):
            actions += plan(self.cache.situation(key, build.CATALOGUE), self.clock()).actions
        for pool in list(self.cache.pools.pools):
            situation = self.cache.pool_situation(pool.key, build.CATALOGUE)
            actions += plan_pool(situation, self.clock()).actions
        leaving = [one.pod.key for one in actions if isinstance(one, DeleteWarmPod)]
        for action in actions:
            self._apply(action, answered)
        if leaving:
            self.cache.pools.set_staying(Key("research", "warm"), leaving)
        return len(actions)

    def _apply(self, action: Action, answered: Callable[[], bool]) -> None:
        match action:
            case CreateWarmPod(manifest=manifest) | CreatePod(manifest=manifest):
                self._create(dict(manifest), answered)
            case ClaimPod(instance=instance, pod=pod):
                patch = build_claim(instance, pod.resource_version)
                self._change("pods", pod.key.name, lambda one: apply_patch(one, patch), answered)
            case DeleteWarmPod(pod=pod):
                self._end(pod.key.name, pod.uid, pod.resource_version, answered)
            case DeletePod(pod=key, uid=uid):
                self._end(key.name, uid, None, answered)
            case WriteStatus(instance=target, status=status):
                self._write("traininginstances", target, dict(status), answered)
            case WritePoolStatus(pool=target, status=status):
                self._write("trainingpools", target, dict(status), answered)
            case _:
                pass

    def _create(self, manifest: Object, answered: Callable[[], bool]) -> None:
        name = manifest["metadata"]["name"]
        manifest = copy.deepcopy(manifest)
        manifest["metadata"]["creationTimestamp"] = format_timestamp(self.clock())
        manifest["status"] = {"phase": "Pending"}
        try:
            one = self.cluster.create("pods", manifest)
        except RefusedError:
            one = self.cluster.get("pods", name)
        if answered():
            self._take_in("pods", gone=False, one=one)

    def _end(self, name: str, uid: str, version: int | None, answered: Callable[[], bool]) -> None:
        def mark(one: Object) -> bool:
            metadata = one["metadata"]
            if metadata["uid"] != uid or version not in {None, int(metadata["resourceVersion"])}:
                return False
            metadata["deletionTimestamp"] = format_timestamp(build.after(1e6))
            return True

        self._change("pods", name, mark, answered)

    def _write(
        self,
        kind: str,
        target: TrainingInstance | TrainingPool,
        status: Object,
        answered: Callable[[], bool],
    ) -> None:
        def write(one: Object) -> bool:
            if int(one["metadata"]["resourceVersion"]) != target.resource_version:
                return False
            before = one.get("status", {}).get("podUID")
            assert before in {None, status.get("podUID")}, "an instance was told of another pod"
            one["status"] = status
            return True

        self._change(kind, target.key.name, write, answered)

    def _change(
        self,
        kind: str,
        name: str,
        change: Callable[[Object], bool],
        answered: Callable[[], bool],
    ) -> None:
        """Change an object if the change agrees; what comes of it is heard of, or not."""
        try:
            one = self.cluster.get(kind, name)
        except RefusedError:
            return
        if change(one):
            one = self.cluster.put(kind, one)
        elif kind != "pods":
            return
        if answered():
            self._take_in(kind, gone=False, one=one)

    def _take_in(self, kind: str, *, gone: bool, one: Object) -> None:
        cache = self.cache
        if kind == "pods":
            pod = Pod.from_api(one)
            if gone:
                cache.remove_pod(pod.key, pod.uid)
            else:
                cache.store_pod(pod)
        elif kind == "traininginstances":
            instance = TrainingInstance.from_api(one)
            if gone:
                cache.remove_instance(instance.key, instance.uid)
            else:
                cache.store_instance(instance)
        else:
            cache.pools.store_pool(TrainingPool.from_api(one))
