"""Whose calls a server takes: those with the token of its present incarnation."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.support.cluster import Namespace, kubectl, wait_until
from tests.e2e.support.play import action
from tests.e2e.support.portforward import port_forward
from tests.e2e.test_pod_failures import kill_server
from training_sandbox import EpisodeLost, TrainingSandbox


@pytest.fixture
def played(namespace: Namespace) -> Iterator[Namespace]:
    """A namespace with two instances, mine and theirs, which are Ready."""
    for name in ("mine", "theirs"):
        namespace.apply(name)
    for name in ("mine", "theirs"):
        namespace.wait_phase(name, "Ready")
    return namespace


def answer_to(namespace: Namespace, name: str, token: str | None) -> httpx.Response:
    """Asks an instance's server what only those may know who may play."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    with port_forward(namespace.name, namespace.status(name)["podName"]) as address:
        return httpx.post(f"{address}/get_env_profile", json={}, headers=headers, timeout=30)


def test_only_the_instances_own_token_opens_its_server(played: Namespace) -> None:
    assert answer_to(played, "mine", played.token_of("mine")).status_code == 200
    refusals = [
        answer_to(played, "mine", token)
        for token in (None, "not.a.token", played.token_of("theirs"))
    ]
    assert [answer.status_code for answer in refusals] == [401, 401, 401]
    assert len({answer.text for answer in refusals}) == 1
    assert refusals[0].json()["error"]["type"] == "unauthorized"
    with TrainingSandbox.attach("mine", namespace=played.name) as box:
        assert box.get_env_profile()


def test_a_token_ends_with_its_server_and_the_client_finds_the_next(namespace: Namespace) -> None:
    namespace.apply("mine")
    before = namespace.wait_phase("mine", "Ready")["incarnation"]
    former = namespace.token_of("mine")
    with TrainingSandbox.attach("mine", namespace=namespace.name) as box:
        task_id = box.get_env_profile()[0]
        lost = box.create_instance(task_id=task_id)["info"]["instance_id"]
        kill_server(namespace, "mine")

        def reborn() -> bool:
            status = namespace.status("mine")
            return status["phase"] == "Ready" and status["incarnation"] != before

        wait_until("the instance is Ready in a new incarnation", reborn)
        assert answer_to(namespace, "mine", former).status_code == 401
        assert answer_to(namespace, "mine", namespace.token_of("mine")).status_code == 200
        with pytest.raises(EpisodeLost):
            box.step(lost, action("A message of no calls."))
        assert box.create_instance(task_id=task_id)


def test_a_secret_cannot_be_edited_comes_back_when_deleted_and_goes_with_its_instance(
    namespace: Namespace,
) -> None:
    namespace.apply("mine")
    secret = namespace.wait_phase("mine", "Ready")["tokenSecret"]
    token = namespace.token_of("mine")
    patch = json.dumps({"data": {"token": base64.b64encode(b"mine, all mine").decode()}})
    arguments = ("--namespace", namespace.name, "secret", secret)
    refusal = kubectl("patch", *arguments, "--patch", patch, check=False)
    assert "immutable" in refusal
    kubectl("delete", *arguments)
    wait_until("the Secret is back", lambda: namespace.secret(secret), seconds=90)
    assert namespace.token_of("mine") == token
    assert namespace.status("mine")["phase"] == "Ready"
    namespace.delete("mine")
    wait_until("the Secret is gone", lambda: namespace.secret(secret) is None, seconds=60)


def test_warm_pods_have_no_secret_and_a_claimed_one_has(namespace: Namespace) -> None:
    namespace.apply_pool("warm", replicas=1)
    namespace.wait_warm("warm", 1)
    secrets = ("get", "secrets", "--namespace", namespace.name, "--output", "name")
    assert kubectl(*secrets) == ""
    namespace.apply("claimed", envType="bfcl", poolRef={"name": "warm"})
    namespace.wait_phase("claimed", "Ready", seconds=30)
    assert kubectl(*secrets).split() == ["secret/claimed-token"]
    with TrainingSandbox.attach("claimed", namespace=namespace.name) as box:
        assert box.get_env_profile()
    kubectl("delete", "tpool", "warm", "--namespace", namespace.name)
