"""The record finds a pool that makes more pods than it is to have, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.support.recorder import Recorder


@pytest.fixture
def record() -> Recorder:
    return Recorder()


def test_a_pool_that_has_enough_and_makes_another_pod_is_found_though_it_deletes_it_again(
    record: Recorder,
) -> None:
    record.pool("warm", replicas=2)
    for name in ("one", "two", "three"):
        record.pod(name, "warm", warm=True)
    record.pod("three", "warm", warm=True, ending=True)
    record.pod("three", "warm", warm=True, gone=True)
    assert record.history.wrongs().over_created == [
        "pool warm made three, its 3th pod of 2, of which 0 may have been promised"
    ]


def test_a_pod_that_ends_is_deleted_by_hand_or_claimed_may_be_made_again(record: Recorder) -> None:
    record.pool("warm", replicas=1)
    record.pod("ends", "warm", warm=True)
    record.pod("ends", "warm", warm=True, ending=True)
    record.history.by_hand.add("uid-of-mine")
    record.pod("mine", "warm", warm=True)
    record.pod("claimed", "warm", warm=True)
    record.instance("claim", poolRef={"name": "warm"})
    record.pod("claimed", "claim")
    record.pod("another", "warm", warm=True)
    assert record.history.wrongs().over_created == []


def test_a_pool_may_have_as_many_pods_as_it_was_ever_to_have(record: Recorder) -> None:
    record.pool("warm", replicas=2)
    record.pod("one", "warm", warm=True)
    record.pool("warm", replicas=1)
    record.pod("two", "warm", warm=True)
    assert record.history.wrongs().over_created == []


@pytest.mark.parametrize(("templates", "too_many"), [("aaaab", 0), ("aaaabb", 1), ("aaaaa", 1)])
def test_a_quarter_more_are_made_only_while_pods_of_another_template_are_replaced(
    record: Recorder, templates: str, too_many: int
) -> None:
    record.pool("warm", replicas=4)
    for number, template in enumerate(templates):
        record.pod(f"pod-{number}", "warm", warm=True, template=template)
    assert len(record.history.wrongs().over_created) == too_many


@pytest.mark.parametrize(
    ("is_ready", "claimed", "too_many"),
    [
        pytest.param(True, "first", 0, id="kept"),
        pytest.param(True, None, 0, id="broken: the instance ended"),
        pytest.param(True, "third", 1, id="of another pod"),
        pytest.param(False, "first", 1, id="not of a pod that is not ready"),
    ],
)
def test_a_pod_may_have_been_promised_to_an_instance_that_waits_and_be_made_again(
    record: Recorder, is_ready: bool, claimed: str | None, too_many: int
) -> None:
    record.pool("warm", replicas=1)
    record.pod("first", "warm", warm=True, ready=is_ready)
    record.instance("waits", poolRef={"name": "warm"})
    record.pod("second", "warm", warm=True, ready=False)
    record.pod("first", "warm", warm=True, ending=True)
    record.pod("second", "warm", warm=True, ending=True)
    record.pod("third", "warm", warm=True)
    if claimed is not None:
        record.pod(claimed, "waits")
    assert len(record.history.wrongs().over_created) == too_many


@pytest.mark.parametrize(
    ("status", "pool"), [({"podUID": "uid-of-cold"}, "warm"), ({}, "another"), ({}, None)]
)
def test_an_instance_that_does_not_wait_for_the_pool_is_no_reason_for_a_pod_more(
    record: Recorder, status: dict[str, Any], pool: str | None
) -> None:
    record.pool("warm", replicas=1)
    record.pod("enough", "warm", warm=True)
    spec: dict[str, Any] = {} if pool is None else {"poolRef": {"name": pool}}
    record.instance("served", status=status, **spec)
    record.pod("another", "warm", warm=True)
    assert len(record.history.wrongs().over_created) == 1


def test_an_instance_that_is_long_gone_is_no_reason_for_a_pod_more(record: Recorder) -> None:
    record.pool("warm", replicas=1)
    record.pod("enough", "warm", warm=True)
    record.instance("gone", poolRef={"name": "warm"})
    record.instance("gone", poolRef={"name": "warm"}, gone=True)
    for _ in range(5):
        record.pool("warm", replicas=1)
    record.pod("another", "warm", warm=True)
    assert len(record.history.wrongs().over_created) == 1
