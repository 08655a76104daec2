"""What holds of pools whatever happens: no pod too many, and never two owners.

The operator's own memory and decisions act on a cluster that answers writes at once or not at all,
and whose watch tells of what has happened as late as it likes. A second operator may have been
paused at any time, and goes on as if nothing had happened.
"""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.operator import builders as build
from tests.operator.fake_cluster import Object
from tests.operator.lagging_cluster import Cluster, Operator
from training_sandbox_operator.model.timestamps import format_timestamp

sizes = st.one_of(
    st.fixed_dictionaries({"replicas": st.integers(0, 5)}),
    st.fixed_dictionaries({"minReplicas": st.integers(0, 2), "maxReplicas": st.integers(2, 5)}),
)


_RESTS = 3


def most_of(size: dict[str, int]) -> int:
    return size.get("replicas", size.get("maxReplicas", 0))


class Pools(RuleBasedStateMachine):
    """One pool, whoever claims its pods, and one operator after the other.

    Attributes:
        most: how many warm pods there ever were to be at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = build.CREATED
        self.cluster = Cluster()
        self.most = 0
        self.made = 0

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

    @initialize(size=sizes, age=st.none() | st.sampled_from([10, 300]))
    def begin(self, size: dict[str, int], age: int | None) -> None:
        self.most = most_of(size)
        metadata = {"namespace": "research", "name": "warm"}
        spec = {"envType": "appworld", **size}
        if age is not None:
            spec["maxAgeSeconds"] = age
        self.cluster.create("trainingpools", {"metadata": metadata, "spec": spec})
        self.operator = self.start()
        self.sleeper = self.start()

    def change_spec(self, **fields: str | int | None) -> None:
        """Have somebody set fields of the pool's spec, or take them out."""
        pool = self.cluster.get("trainingpools", "warm")
        spec = {**pool["spec"], **fields}
        pool["spec"] = {name: value for name, value in spec.items() if value is not None}
        self.cluster.put("trainingpools", pool)

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

    @rule(size=sizes)
    def somebody_scales(self, size: dict[str, int]) -> None:
        self.most = max(self.most, most_of(size))
        self.change_spec(**{"replicas": None, "minReplicas": None, "maxReplicas": None, **size})

    @rule(image=st.sampled_from(["a:1", "b:2"]))
    def somebody_changes_the_image(self, image: str) -> None:
        self.change_spec(image=image)

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

    # What must hold.

    @invariant()
    def no_pod_had_two_owners(self) -> None:
        assert all(len(owners) == 1 for owners in self.cluster.owners.values())

    def teardown(self) -> None:
        """Let everything be heard of and done, and see that it comes to rest as it should."""
        if not hasattr(self, "operator"):
            return
        # Where pods grow too old there is no rest.
        self.change_spec(maxAgeSeconds=None)
        rests = 0
        for _ in range(60):
            self.pods_end()
            for pod in self.cluster.of_kind("pods"):
                if pod["status"]["phase"] == "Pending":
                    pod["status"] = build.serving()
                    self.cluster.put("pods", pod)
            self.collect_garbage()
            self.operator.hear(10**6)
            rests = 0 if self.operator.work() or self.operator.watch else rests + 1
            # What was asked for before is forgotten in minutes, and nothing happens until then.
            if rests == _RESTS:
                break
            self.now += timedelta(seconds=400)
        else:
            raise AssertionError("the operator does not come to rest")
        spec = self.cluster.get("trainingpools", "warm")["spec"]
        fewest = spec.get("replicas", spec.get("minReplicas", 0))
        waiting = sum(
            not instance.get("status", {}).get("podUID")
            for instance in self.cluster.of_kind("traininginstances")
        )
        assert fewest <= len(self.warm) <= max(fewest, waiting)
        owned = [pod["metadata"]["ownerReferences"][0] for pod in self.cluster.of_kind("pods")]
        claimed = [one["uid"] for one in owned if one["kind"] == "TrainingInstance"]
        assert len(claimed) == len(set(claimed)), "an instance holds two pods"

    def collect_garbage(self) -> None:
        uids = {one["metadata"]["uid"] for one in self.cluster.objects.values()}
        for pod in self.cluster.of_kind("pods"):
            if pod["metadata"]["ownerReferences"][0]["uid"] not in uids:
                self.cluster.remove("pods", pod["metadata"]["name"])


class PoolsOfOneOperator(Pools):
    """Nobody else acts, however often the operator is killed and started again."""

    @invariant()
    def there_are_not_more_warm_pods_than_there_ever_were_to_be(self) -> None:
        """But for a quarter that replaces others, and those in the place of what is claimed now."""
        claiming = self.made - len(self.cluster.owners)
        assert len(self.warm) <= self.most + max(self.most // 4, 1) + claiming


class PoolsThatReplaceNothing(Pools):
    """No pod is claimed or outdated: there is none too many, however late the watch tells."""

    @initialize(size=sizes)
    def begin(self, size: dict[str, int]) -> None:
        super().begin(size, None)

    def somebody_claims(self, may_start_cold: bool) -> None:
        """Is no rule here."""

    def somebody_changes_the_image(self, image: str) -> None:
        """Is no rule here."""

    @invariant()
    def there_is_no_warm_pod_too_many(self) -> None:
        assert len(self.warm) <= self.most


class PoolsOfTwoOperators(Pools):
    """Another operator has slept since the beginning, and goes on as if nothing had happened.

    It would not get that far: its lease has passed on. What it makes by its old knowledge has the
    names that are made anyway; it may be a pod too many, and never a second owner.
    """

    @rule()
    def an_operator_that_slept_all_the_time_acts_once(self) -> None:
        self.sleeper.work()


TestPoolsOfOneOperator = PoolsOfOneOperator.TestCase
TestPoolsOfOneOperator.settings = settings(max_examples=60, stateful_step_count=30)
TestPoolsThatReplaceNothing = PoolsThatReplaceNothing.TestCase
TestPoolsThatReplaceNothing.settings = settings(max_examples=60, stateful_step_count=30)
TestPoolsOfTwoOperators = PoolsOfTwoOperators.TestCase
TestPoolsOfTwoOperators.settings = settings(max_examples=60, stateful_step_count=30)
