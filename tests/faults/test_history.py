"""The record finds what must never be: a check that cannot fail would prove nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.faults.support.history import INSTANCES, PODS, POOLS, History, Seen

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Recorder:
    """Writes histories: every event is a second and a version later than the one before."""

    def __init__(self) -> None:
        self.history = History()

    @property
    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=len(self.history.seen))

    def _record(self, kind: str, metadata: dict[str, Any], *, gone: bool, **parts: Any) -> None:
        version = str(len(self.history.seen) + 1)
        one = {"metadata": {"resourceVersion": version, **metadata}, **parts}
        self.history.seen.append(Seen(self.now, kind, one, gone))

    def instance(
        self, name: str, *, status: dict[str, Any] | None = None, gone: bool = False, **spec: Any
    ) -> None:
        times = {"ttlSeconds": 100, "idleTimeoutSeconds": 100, "ttlSecondsAfterFinished": 100}
        metadata = {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": BEGIN.isoformat()}
        self._record(INSTANCES, metadata, gone=gone, spec={**times, **spec}, status=status or {})

    def pod(
        self, name: str, owner: str, *, gone: bool = False, ending: bool = False, warm: bool = False
    ) -> None:
        kind = "TrainingPool" if warm else "TrainingInstance"
        reference = {"kind": kind, "name": owner, "uid": f"uid-of-{owner}", "controller": True}
        metadata: dict[str, Any] = {"name": name, "uid": f"uid-of-{name}"}
        metadata["ownerReferences"] = [reference]
        if ending:
            metadata["deletionTimestamp"] = self.now.isoformat()
        self._record(PODS, metadata, gone=gone)

    def pool(self, name: str, *, gone: bool = False) -> None:
        self._record(POOLS, {"name": name, "uid": f"uid-of-{name}"}, gone=gone)


@pytest.fixture
def record() -> Recorder:
    return Recorder()


def test_an_orderly_life_has_nothing_wrong(record: Recorder) -> None:
    record.pool("warm")
    record.pod("pod", "warm", warm=True)
    record.instance("claim", ttlSeconds=5)
    record.pod("pod", "claim")
    record.instance("claim", ttlSeconds=5, status={"phase": "Ready", "podUID": "uid-of-pod"})
    record.instance(
        "claim", ttlSeconds=5, status={"phase": "Ready", "podUID": "uid-of-pod"}, gone=True
    )
    record.pod("pod", "claim", ending=True)
    record.pod("pod", "claim", gone=True)
    record.history.by_hand.add("uid-of-warm")
    record.pool("warm", gone=True)
    assert list(record.history.wrongs()) == []


def test_an_instance_that_ever_had_two_pods_is_found(record: Recorder) -> None:
    record.instance("twice")
    record.pod("first", "twice")
    record.pod("first", "twice", gone=True)
    record.pod("second", "twice")
    assert record.history.wrongs().duplicates == ["instance twice had 2 pods"]


@pytest.mark.parametrize("was_told", [True, False])
def test_a_pod_that_was_deleted_by_hand_before_anybody_was_told_of_it_may_be_made_again(
    record: Recorder, was_told: bool
) -> None:
    record.instance("twice")
    record.pod("first", "twice")
    if was_told:
        record.instance("twice", status={"phase": "Pending", "podUID": "uid-of-first"})
    record.history.by_hand.add("uid-of-first")
    record.pod("first", "twice", gone=True)
    record.pod("second", "twice")
    assert bool(record.history.wrongs().duplicates) is was_told


def test_a_pod_that_had_two_instances_is_found(record: Recorder) -> None:
    record.pod("pod", "warm", warm=True)
    record.pod("pod", "one")
    record.pod("pod", "other")
    assert record.history.wrongs().double_claims == [
        "pod pod belonged to TrainingPool warm, TrainingInstance one, TrainingInstance other"
    ]


def test_a_claimed_pod_that_goes_back_to_its_pool_is_found(record: Recorder) -> None:
    record.pod("pod", "one")
    record.pod("pod", "warm", warm=True)
    assert len(record.history.wrongs().double_claims) == 1


def test_what_is_left_at_the_end_is_found(record: Recorder) -> None:
    record.pool("warm")
    record.instance("left")
    record.pod("orphan", "gone-long-ago")
    record.pod("gone", "gone-long-ago")
    record.pod("gone", "gone-long-ago", gone=True)
    assert record.history.wrongs().leaks == [
        "traininginstances left is still there",
        "trainingpools warm is still there",
        "pods orphan is still there",
    ]


def test_events_that_were_seen_in_another_order_are_read_in_theirs(record: Recorder) -> None:
    record.pod("pod", "one")
    record.pod("pod", "one", gone=True)
    record.history.seen.reverse()
    assert record.history.wrongs().leaks == []


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({}, id="before it was looked at"),
        pytest.param({"phase": "Ready", "podUID": "uid-of-pod"}, id="not yet idle"),
        pytest.param({"phase": "Finished", "finishedAt": BEGIN.isoformat()}, id="just finished"),
        pytest.param({"phase": "Failed", "finishedAt": BEGIN.isoformat()}, id="just failed"),
    ],
)
def test_an_instance_that_is_deleted_before_its_time_is_found(
    record: Recorder, status: dict[str, Any]
) -> None:
    record.history.used_at["uid-of-pod"] = BEGIN
    record.instance("brief", status=status)
    record.instance("brief", status=status, gone=True)
    assert len(record.history.wrongs().early) == 1


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        pytest.param({"ttlSeconds": 1}, {}, id="ttl"),
        pytest.param(
            {"idleTimeoutSeconds": 1}, {"phase": "Ready", "podUID": "uid-of-pod"}, id="idle"
        ),
        pytest.param(
            {"ttlSecondsAfterFinished": 1},
            {"phase": "Finished", "finishedAt": BEGIN.isoformat()},
            id="finished",
        ),
    ],
)
def test_an_instance_that_is_deleted_in_time_is_right(
    record: Recorder, spec: dict[str, Any], status: dict[str, Any]
) -> None:
    record.history.used_at["uid-of-pod"] = BEGIN
    record.instance("brief", status=status, **spec)
    record.instance("brief", status=status, gone=True, **spec)
    assert list(record.history.wrongs()) == []


def test_a_failed_instance_that_is_to_be_retained_stays_for_its_whole_life(
    record: Recorder,
) -> None:
    status = {"phase": "Failed", "finishedAt": BEGIN.isoformat()}
    spec = {"ttlSecondsAfterFinished": 0, "retainFailed": True}
    record.instance("kept", status=status, **spec)
    record.instance("kept", status=status, gone=True, **spec)
    assert len(record.history.wrongs().early) == 1


def test_what_the_test_deletes_is_not_deleted_early(record: Recorder) -> None:
    record.history.by_hand.add("uid-of-mine")
    record.instance("mine")
    record.instance("mine", gone=True)
    assert list(record.history.wrongs()) == []


def test_a_pod_that_is_ended_under_a_living_instance_is_found(record: Recorder) -> None:
    record.instance("alive", status={"phase": "Ready", "podUID": "uid-of-pod"})
    record.pod("pod", "alive", ending=True)
    assert record.history.wrongs().early == ["pod pod was ended while instance alive lived"]


def test_a_failed_pod_that_is_ended_although_it_is_to_be_retained_is_found(
    record: Recorder,
) -> None:
    status = {"phase": "Failed", "finishedAt": BEGIN.isoformat()}
    record.instance("kept", status=status, retainFailed=True)
    record.pod("pod", "kept", ending=True)
    assert len(record.history.wrongs().early) == 1


def test_a_pod_is_ended_with_its_failed_instance(record: Recorder) -> None:
    record.instance("dead", status={"phase": "Failed", "finishedAt": BEGIN.isoformat()})
    record.pod("pod", "dead", ending=True)
    assert record.history.wrongs().early == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"phase": "Failed"}, {"phase": "Ready"}),
        ({"phase": "Finished"}, {"phase": "Failed"}),
        ({"phase": "Ready", "podUID": "a"}, {"phase": "Ready", "podUID": "b"}),
        ({"phase": "Ready", "podUID": "a"}, {}),
    ],
)
def test_a_status_that_takes_back_an_earlier_one_is_found(
    record: Recorder, before: dict[str, Any], after: dict[str, Any]
) -> None:
    record.instance("fickle", status=before)
    record.instance("fickle", status=after)
    assert len(record.history.wrongs().contradictions) == 1
