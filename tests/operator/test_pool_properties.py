"""What holds of pools whatever happens: no pod too many, and never two owners.

The operator's own memory and decisions act on a cluster that answers writes at once or not at all,
and whose watch tells of what has happened as late as it likes. A second operator may have been
paused at any time, and goes on as if nothing had happened.
"""

import copy
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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


class Pools(RuleBasedStateMachine):
    """One pool, whoever claims its pods, and one operator after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.now = build.CREATED
        self.cluster = Cluster()
        self.most = 0
        self.made = 0
        self.slept = False

    def start(self) -> Operator:
        return Operator(self.cluster, lambda: self.now)

    @property
    def warm(self) -> list[Object]:
        return [
            pod
            for pod in self.cluster.of_kind("pods")
            if pod["metadata"]["ownerReferences"][0]["kind"] == "TrainingPool"
            and "deletionTimestamp" not in pod["metadata"]
        ]

    @initialize(replicas=st.integers(0, 5))
    def begin(self, replicas: int) -> None:
        self.most = replicas
        metadata = {"namespace": "research", "name": "warm"}
        spec = {"envType": "appworld", "replicas": replicas}
        self.cluster.create("trainingpools", {"metadata": metadata, "spec": spec})
        self.operator = self.start()
        self.sleeper = self.start()

    # What happens.

    @rule(may_start_cold=st.booleans())
    def somebody_claims(self, may_start_cold: bool) -> None:
        self.made += 1
        when_empty = "ColdStart" if may_start_cold else "Wait"
        self.cluster.create(
            "traininginstances",
            {
                "metadata": {
                    "namespace": "research",
                    "name": f"claim-{self.made}",
                    "creationTimestamp": format_timestamp(build.CREATED),
                },
                "spec": {
                    "envType": "appworld",
                    "poolRef": {"name": "warm", "whenEmpty": when_empty},
                    "ttlSeconds": 2592000,
                    "idleTimeoutSeconds": 2592000,
                },
            },
        )

    @precondition(lambda self: self.cluster.of_kind("traininginstances"))
    @rule(data=st.data())
    def somebody_deletes_their_instance(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.cluster.of_kind("traininginstances")))
        self.cluster.remove("traininginstances", one["metadata"]["name"])
        self.collect_garbage()

    @rule(replicas=st.integers(0, 5))
    def somebody_scales(self, replicas: int) -> None:
        self.most = max(self.most, replicas)
        pool = self.cluster.get("trainingpools", "warm")
        pool["spec"]["replicas"] = replicas
        self.cluster.put("trainingpools", pool)

    @rule(image=st.sampled_from(["a:1", "b:2"]))
    def somebody_changes_the_image(self, image: str) -> None:
        pool = self.cluster.get("trainingpools", "warm")
        pool["spec"]["image"] = image
        self.cluster.put("trainingpools", pool)

    @precondition(lambda self: self.warm)
    @rule(data=st.data(), fails=st.booleans())
    def a_warm_pod_gets_ready_or_fails(self, data: st.DataObject, fails: bool) -> None:
        pod = data.draw(st.sampled_from(self.warm))
        pod["status"] = {"phase": "Failed"} if fails else build.serving()
        self.cluster.put("pods", pod)

    @rule()
    def pods_end(self) -> None:
        for pod in self.cluster.of_kind("pods"):
            if "deletionTimestamp" in pod["metadata"]:
                self.cluster.remove("pods", pod["metadata"]["name"])

    @rule(seconds=st.sampled_from([0.5, 2, 15, 400]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(count=st.integers(1, 5))
    def the_watch_tells(self, count: int) -> None:
        self.operator.hear(count)

    @rule(answers=st.lists(st.booleans(), max_size=4))
    def the_operator_works_and_hears_of_some_of_its_writes(self, answers: list[bool]) -> None:
        given = iter(answers)
        self.operator.work(lambda: next(given, True))

    @rule()
    def the_operator_is_killed_and_started_again(self) -> None:
        self.operator = self.start()

    @rule()
    def an_operator_that_slept_all_the_time_acts_once(self) -> None:
        self.slept = True
        self.sleeper.work()

    # What must hold.

    @invariant()
    def no_pod_had_two_owners(self) -> None:
        assert all(len(owners) == 1 for owners in self.cluster.owners.values())

    @invariant()
    def there_are_not_more_warm_pods_than_there_ever_were_to_be(self) -> None:
        extra = max(self.most // 4, 1)
        if not self.slept:
            assert len(self.warm) <= self.most + extra

    def teardown(self) -> None:
        """Let everything be heard of and done, and see that it comes to rest as it should."""
        if not hasattr(self, "operator"):
            return
        for _ in range(60):
            self.pods_end()
            for pod in self.cluster.of_kind("pods"):
                if pod["status"]["phase"] == "Pending":
                    pod["status"] = build.serving()
                    self.cluster.put("pods", pod)
            self.collect_garbage()
            self.operator.hear(10**6)
            if not self.operator.work() and not self.operator.watch:
                break
            self.now += timedelta(seconds=400)
        else:
            raise AssertionError("the operator does not come to rest")
        replicas = self.cluster.get("trainingpools", "warm")["spec"]["replicas"]
        assert len(self.warm) == replicas
        owned = [pod["metadata"]["ownerReferences"][0] for pod in self.cluster.of_kind("pods")]
        claimed = [one["uid"] for one in owned if one["kind"] == "TrainingInstance"]
        assert len(claimed) == len(set(claimed)), "an instance holds two pods"

    def collect_garbage(self) -> None:
        uids = {one["metadata"]["uid"] for one in self.cluster.objects.values()}
        for pod in self.cluster.of_kind("pods"):
            if pod["metadata"]["ownerReferences"][0]["uid"] not in uids:
                self.cluster.remove("pods", pod["metadata"]["name"])


TestPools = Pools.TestCase
TestPools.settings = settings(max_examples=60, stateful_step_count=30)
