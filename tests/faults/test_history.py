"""The record finds what must never be: a check that cannot fail would prove nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.support.recorder import BEGIN, Recorder

READY = {"phase": "Ready", "podUID": "uid-of-pod", "incarnation": "uid-of-pod-0"}


@pytest.fixture
def record() -> Recorder:
    return Recorder()


def test_an_orderly_life_has_nothing_wrong(record: Recorder) -> None:
    record.pool("warm")
    record.pod("pod", "warm", warm=True)
    record.instance("claim", ttlSeconds=5)
    record.pod("pod", "claim")
    record.secret("claim")
    record.instance("claim", ttlSeconds=5, status=READY)
    record.instance("claim", ttlSeconds=5, status=READY, gone=True)
    record.secret("claim", gone=True)
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


def test_a_pod_that_comes_when_its_instance_is_gone_is_no_second_one(record: Recorder) -> None:
    record.instance("gone")
    record.pod("first", "gone")
    record.instance("gone", gone=True)
    record.pod("first", "gone", gone=True)
    record.pod("second", "gone")
    assert record.history.wrongs().duplicates == []
    assert "pods second is still there" in record.history.wrongs().leaks


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
    record.secret("gone-long-ago")
    record.secret("gone", name="gone-token")
    record.secret("gone", name="gone-token", gone=True)
    assert record.history.wrongs().leaks == [
        "traininginstances left is still there",
        "trainingpools warm is still there",
        "pods orphan is still there",
        "secrets gone-long-ago-token is still there",
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
        pytest.param({"idleTimeoutSeconds": 1}, READY, id="idle"),
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
    record.pod("pod", "brief")
    record.secret("brief")
    record.instance("brief", status=status, **spec)
    record.instance("brief", status=status, gone=True, **spec)
    record.secret("brief", gone=True)
    record.pod("pod", "brief", gone=True)
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


def test_what_the_test_has_deleted_may_not_take_back_its_status_either(record: Recorder) -> None:
    record.history.by_hand.add("uid-of-mine")
    record.instance("mine", status={"phase": "Failed"})
    record.instance("mine", status={"phase": "Ready"})
    assert len(record.history.wrongs().contradictions) == 1


def test_a_status_that_the_test_has_edited_may_become_anything(record: Recorder) -> None:
    record.history.edited.add("uid-of-mine")
    record.instance("mine", status={"phase": "Failed"})
    record.instance("mine", status={"phase": "Ready"})
    assert record.history.wrongs().contradictions == []
    assert record.history.wrongs().tokens == []


def test_a_server_that_is_started_again_gets_another_secret(record: Recorder) -> None:
    record.instance("one")
    record.pod("pod", "one")
    record.secret("one")
    record.pod("pod", "one", restarts=1)
    record.secret("one", gone=True)
    record.secret("one", "uid-of-pod-1")
    wrongs = record.history.wrongs()
    assert wrongs.early == wrongs.duplicates == wrongs.tokens == []


def test_an_instance_that_has_two_secrets_at_a_time_is_found(record: Recorder) -> None:
    record.pod("pod", "one")
    record.secret("one")
    record.secret("one", name="another")
    assert record.history.wrongs().duplicates == [
        "instance one had the Secrets one-token and another"
    ]


def test_a_secret_that_is_changed_is_no_second_one(record: Recorder) -> None:
    record.pod("pod", "one")
    record.secret("one")
    record.secret("one")
    assert record.history.wrongs().duplicates == []


@pytest.mark.parametrize(
    ("owner", "name"), [(None, "one-token"), ("one", "token-of-one")], ids=["unowned", "misnamed"]
)
def test_a_secret_that_is_no_instances_is_found(
    record: Recorder, owner: str | None, name: str
) -> None:
    record.pod("pod", "one")
    record.secret(owner, name=name)
    assert record.history.wrongs().tokens == [f"Secret {name} was made and is no instance's"]


@pytest.mark.parametrize("warm", [True, False], ids=["of a pool", "of another instance"])
def test_a_secret_for_the_server_of_somebody_else_is_found(record: Recorder, *, warm: bool) -> None:
    record.pod("pod", "other", warm=warm)
    record.secret("one")
    record.pod("pod", "one")
    assert record.history.wrongs().tokens == [
        "Secret one-token opened a server that was not instance one's"
    ]


def test_a_secret_for_a_server_that_has_just_gone_is_right(record: Recorder) -> None:
    record.pod("pod", "one")
    record.pod("pod", "one", gone=True)
    record.secret("one")
    assert record.history.wrongs().tokens == []


@pytest.mark.parametrize("incarnation", [None, "uid-of-pod-0"], ids=["none", "a former one"])
def test_an_instance_that_is_ready_before_its_server_has_a_token_is_found(
    record: Recorder, incarnation: str | None
) -> None:
    record.pod("pod", "one")
    if incarnation is not None:
        record.secret("one", incarnation)
    record.instance("one", status={**READY, "incarnation": "uid-of-pod-1"})
    record.secret("one", "uid-of-pod-1")
    assert record.history.wrongs().tokens == [
        "instance one was Ready and had no token for uid-of-pod-1"
    ]


def test_a_secret_that_is_deleted_under_a_living_server_is_found(record: Recorder) -> None:
    record.instance("one")
    record.pod("pod", "one")
    record.secret("one")
    record.secret("one", gone=True)
    assert record.history.wrongs().early == [
        "Secret one-token was deleted while its server and instance lived"
    ]


def test_a_secret_that_the_test_deletes_is_not_deleted_early(record: Recorder) -> None:
    record.history.by_hand.add("uid-of-one-token-uid-of-pod-0")
    record.instance("one")
    record.pod("pod", "one")
    record.secret("one")
    record.secret("one", gone=True)
    assert record.history.wrongs().early == []


@pytest.mark.parametrize("times", [5, 6])
def test_a_token_that_is_written_as_fast_as_its_secret_is_deleted_is_found(
    record: Recorder, times: int
) -> None:
    record.instance("one")
    record.pod("pod", "one")
    record.instance("one", gone=True)
    for number in range(times):
        record.secret("one", number=number)
        record.secret("one", number=number, gone=True)
    at = BEGIN.isoformat()
    found = [f"Secret one-token for uid-of-pod-0 was made {times} times at {at}"]
    assert record.history.wrongs().tokens == (found if times > 5 else [])


@pytest.mark.parametrize("gone", [True, False], ids=["deleted", "changed"])
def test_a_strangers_secret_that_is_touched_is_found(record: Recorder, *, gone: bool) -> None:
    record.history.strangers.add("uid-of-one-token-")
    record.secret(None, "", name="one-token")
    assert record.history.wrongs().tokens == []
    record.secret(None, "", name="one-token", gone=gone)
    what = "deleted" if gone else "changed"
    assert record.history.wrongs().tokens == [f"Secret one-token of a stranger was {what}"]


def test_a_strangers_secret_goes_as_the_test_wants_it(record: Recorder) -> None:
    record.history.strangers.add("uid-of-one-token-")
    record.history.by_hand.add("uid-of-one-token-")
    record.secret(None, "", name="one-token")
    record.secret(None, "", name="one-token", gone=True)
    assert list(record.history.wrongs()) == []
