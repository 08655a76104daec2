"""The chart's policy on a real API server: what a former leader sends late is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.api_server.conftest import Cluster, Object
from training_sandbox_operator.cluster.errors import ApiError, NotLeadingError, error_of
from training_sandbox_operator.cluster.leader_mark import mark_claim, mark_creation
from training_sandbox_operator.model.names import MANAGED_BY, MANAGED_BY_LABEL

LEASES = "apis/coordination.k8s.io/v1/namespaces/system/leases"
LEASE = f"{LEASES}/release-training-sandbox"
PODS = "api/v1/namespaces/inside/pods"


def pod(name: str = "late") -> Object:
    return {
        "metadata": {
            "name": name,
            "labels": {MANAGED_BY_LABEL: MANAGED_BY},
            # As every warm pod has some.
            "annotations": {"note": "mine"},
        },
        "spec": {"containers": [{"name": "server", "image": "x"}]},
    }


def error(answer: httpx.Response) -> ApiError:
    return error_of(answer.status_code, answer.json(), text=answer.text, retry_after=None)


def try_to_make(cluster: Cluster, leader: str, pods: str = PODS) -> httpx.Response:
    return cluster.ask("POST", f"{pods}?dryRun=All", mark_creation(pod(), leader))


def claim(cluster: Cluster, leader: str) -> httpx.Response:
    return cluster.http.request(
        "PATCH",
        f"{PODS}/warm",
        content=json.dumps(mark_claim([], leader)),
        headers={"Content-Type": "application/json-patch+json"},
    )


@pytest.fixture
def cluster(administrator: Cluster) -> Iterator[Cluster]:
    """Somebody who was the leader before leads no more: the Lease names the present one."""
    holder = {"spec": {"holderIdentity": "present", "leaseDurationSeconds": 1}}
    administrator.create(LEASES, {"metadata": {"name": "release-training-sandbox"}, **holder})
    deadline = time.monotonic() + 60
    while try_to_make(administrator, "former").is_success:
        assert time.monotonic() < deadline, "the policy is not heeded"
        time.sleep(0.05)
    yield administrator
    administrator.ask("DELETE", LEASE)


@pytest.fixture
def warm_pod(cluster: Cluster) -> Iterator[str]:
    """A pod that the present leader has made and nobody has claimed."""
    cluster.create(PODS, mark_creation(pod("warm"), "present"))
    yield f"{PODS}/warm"
    cluster.ask("DELETE", f"{PODS}/warm", {"gracePeriodSeconds": 0})


def test_a_pod_that_a_former_leader_makes_is_refused(cluster: Cluster) -> None:
    answer = try_to_make(cluster, "former")
    assert isinstance(error(answer), NotLeadingError)
    assert "written by an operator that does not lead, or not any more" in answer.text
    assert try_to_make(cluster, "present").is_success


def test_a_claim_by_a_former_leader_is_refused(cluster: Cluster, warm_pod: str) -> None:
    assert isinstance(error(claim(cluster, "former")), NotLeadingError)
    assert "trainingsandbox.dev/claimed-by" not in cluster.get(warm_pod)["metadata"]["annotations"]
    assert claim(cluster, "present").is_success


def test_what_others_edit_of_a_pod_goes_through_whoever_has_claimed_it(
    cluster: Cluster, warm_pod: str
) -> None:
    assert claim(cluster, "present").is_success
    cluster.ask("PATCH", LEASE, {"spec": {"holderIdentity": "next"}})
    assert cluster.ask("PATCH", warm_pod, {"metadata": {"labels": {"note": "mine"}}}).is_success
    unmarked = {"metadata": {"annotations": {"trainingsandbox.dev/claimed-by": None}}}
    assert cluster.ask("PATCH", warm_pod, unmarked).is_success


def test_who_tells_of_no_leader_makes_pods_as_before(cluster: Cluster) -> None:
    """An operator that runs without a lease, or is older than the policy."""
    assert cluster.ask("POST", f"{PODS}?dryRun=All", pod()).is_success


def test_the_policy_is_for_the_namespaces_of_its_operator(cluster: Cluster) -> None:
    assert try_to_make(cluster, "another", pods="api/v1/namespaces/outside/pods").is_success


def test_without_a_lease_anybody_makes_pods(cluster: Cluster) -> None:
    """An operator that is installed anew is not refused because nobody has ever led."""
    cluster.ask("DELETE", LEASE)
    deadline = time.monotonic() + 60
    while not try_to_make(cluster, "first").is_success:
        assert time.monotonic() < deadline, "an operator that begins is refused"
        time.sleep(0.05)
