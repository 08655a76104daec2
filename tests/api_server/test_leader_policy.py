"""The chart's policy on a real API server: what a former leader sends late is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import count

import httpx
import pytest

from tests.api_server.conftest import CONFINED, PATHS, Cluster, Object
from tests.project.chart import render
from training_sandbox_operator.cluster.errors import ApiError, NotLeadingError, error_of
from training_sandbox_operator.cluster.leader_mark import mark_claim, mark_creation
from training_sandbox_operator.model.names import MANAGED_BY, MANAGED_BY_LABEL

LEADERS = "apis/trainingsandbox.dev/v1alpha1/namespaces/system/operatorleaders"
LEADER = f"{LEADERS}/release-training-sandbox"
PODS = "api/v1/namespaces/inside/pods"
names = (f"leader-{number}" for number in count())


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


def wait_until(what: str, probe: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not probe():
        assert time.monotonic() < deadline, f"not within 60 s: {what}"
        time.sleep(0.05)


def lead(cluster: Cluster) -> str:
    """Have another one lead, and the API server know it; returns who."""
    leader = next(names)
    change = {"spec": {"identity": leader}}
    if cluster.ask("GET", LEADER).is_success:
        assert cluster.ask("PATCH", LEADER, change).is_success
    else:
        kind = {"apiVersion": "trainingsandbox.dev/v1alpha1", "kind": "OperatorLeader"}
        cluster.create(
            LEADERS, {**kind, "metadata": {"name": "release-training-sandbox"}, **change}
        )

    def is_known() -> bool:
        is_former_refused = not try_to_make(cluster, "former").is_success
        return is_former_refused and try_to_make(cluster, leader).is_success

    wait_until("the API server knows who leads", is_known)
    return leader


@pytest.fixture
def cluster(administrator: Cluster) -> Iterator[Cluster]:
    yield administrator
    administrator.ask("DELETE", LEADER)


@pytest.fixture
def leader(cluster: Cluster) -> str:
    """Who leads; the one that is called former does not any more."""
    return lead(cluster)


@pytest.fixture
def warm_pod(cluster: Cluster, leader: str) -> Iterator[str]:
    """A pod that the leader has made and nobody has claimed."""
    cluster.create(PODS, mark_creation(pod("warm"), leader))
    yield f"{PODS}/warm"
    cluster.ask("DELETE", f"{PODS}/warm", {"gracePeriodSeconds": 0})


def test_a_pod_that_a_former_leader_makes_is_refused(cluster: Cluster, leader: str) -> None:
    answer = try_to_make(cluster, "former")
    assert isinstance(error(answer), NotLeadingError)
    assert "written by an operator that does not lead, or not any more" in answer.text
    assert try_to_make(cluster, leader).is_success


def test_a_claim_by_a_former_leader_is_refused(
    cluster: Cluster, leader: str, warm_pod: str
) -> None:
    assert isinstance(error(claim(cluster, "former")), NotLeadingError)
    assert "trainingsandbox.dev/claimed-by" not in cluster.get(warm_pod)["metadata"]["annotations"]
    assert claim(cluster, leader).is_success


def test_what_others_edit_of_a_pod_goes_through_whoever_has_claimed_it(
    cluster: Cluster, leader: str, warm_pod: str
) -> None:
    assert claim(cluster, leader).is_success
    lead(cluster)
    assert isinstance(error(claim(cluster, "former")), NotLeadingError)
    assert cluster.ask("PATCH", warm_pod, {"metadata": {"labels": {"note": "mine"}}}).is_success
    unmarked = {"metadata": {"annotations": {"trainingsandbox.dev/claimed-by": None}}}
    assert cluster.ask("PATCH", warm_pod, unmarked).is_success


@pytest.mark.usefixtures("leader")
def test_who_tells_of_no_leader_makes_pods_as_before(cluster: Cluster) -> None:
    """An operator that runs without a lease, or is older than the policy."""
    assert cluster.ask("POST", f"{PODS}?dryRun=All", pod()).is_success


@pytest.mark.usefixtures("leader")
def test_the_policy_is_for_the_namespaces_of_its_operator(cluster: Cluster) -> None:
    assert try_to_make(cluster, "another", pods="api/v1/namespaces/outside/pods").is_success


@pytest.mark.usefixtures("leader")
def test_where_nobody_has_led_anybody_makes_pods(cluster: Cluster) -> None:
    """An operator that is installed anew is not refused."""
    cluster.ask("DELETE", LEADER)
    wait_until("who begins is let through", lambda: try_to_make(cluster, "first").is_success)


@pytest.mark.usefixtures("leader")
def test_a_policy_that_was_deleted_and_made_again_knows_of_later_leaders(cluster: Cluster) -> None:
    """By a parameter of a built-in kind it would go by the leader of before, for ever."""
    policies = [one for one in render(*CONFINED) if one["kind"].startswith("ValidatingAdmission")]
    for one in policies:
        assert cluster.ask("DELETE", f"{PATHS[one['kind']]}/{one['metadata']['name']}").is_success
    try:
        wait_until("there is no policy", lambda: try_to_make(cluster, "former").is_success)
        # The API server looks at policies once a second.
        time.sleep(3)
    finally:
        for one in policies:
            cluster.create(PATHS[one["kind"]], one)
    for _ in range(2):
        lead(cluster)
