"""The signing key in the whole loop: who makes it, who shares it, and what its loss means."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.operator import builders as build
from tests.operator.conftest import Clock, Loop, SandboxServer
from tests.operator.fake_cluster import FakeCluster
from tests.operator.instance_steps import become, serve
from tests.operator.pool_steps import FROM_POOL, fill, get_ready, names, pool_status
from tests.operator.token_steps import KEY, Start, claims_of, status_of, token_secret
from training_sandbox_operator.control.signing_key import SigningKeyError


@pytest.fixture
def loop(start_operator: Start) -> Loop:
    return start_operator(KEY)


async def test_every_operator_has_the_same_key(
    loop: Loop, cluster: FakeCluster, start_operator: Start
) -> None:
    await loop.settle()
    other = start_operator(KEY)
    await other.settle()
    assert len(cluster.of_kind("secrets")) == 1
    assert loop.controller._signing_key.public_key == other.controller._signing_key.public_key


async def test_a_key_that_another_operator_makes_at_the_same_time_is_taken(
    loop: Loop, cluster: FakeCluster, start_operator: Start
) -> None:
    await start_operator(KEY).settle()
    cluster.fail("GET", "/secrets/signing-key", 404)
    await loop.settle()
    stored = cluster.only("secrets")["data"]["ed25519"]
    key = loop.controller._signing_key._key
    assert key is not None
    assert base64.b64encode(key.private_bytes_raw()).decode() == stored


async def test_a_key_that_is_deleted_while_the_operator_works_is_put_back(
    loop: Loop, cluster: FakeCluster
) -> None:
    await loop.settle()
    before = cluster.objects.pop(("secrets", *KEY))["data"]
    await loop.controller._signing_key.keep()
    assert cluster.only("secrets")["data"] == before
    await loop.controller._signing_key.keep()


@pytest.mark.parametrize("data", [None, {}, {"ed25519": "c2hvcnQ="}, {"ed25519": "not base64!"}])
async def test_a_secret_that_has_no_key_is_told_without_what_it_has(
    loop: Loop, cluster: FakeCluster, data: Any
) -> None:
    cluster._store("secrets", {"metadata": {**KEY._asdict()}, "data": data})
    with pytest.raises(SigningKeyError, match="system/signing-key has no Ed25519 key") as raised:
        await loop.settle()
    assert "not base64" not in str(raised.value)
    assert raised.value.__suppress_context__


async def test_after_the_key_was_lost_running_instances_stay_and_new_ones_get_the_new_key(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, start_operator: Start
) -> None:
    await serve(loop, cluster, sandbox)
    former = token_secret(cluster)
    cluster.objects.pop(("secrets", *KEY))
    next_life = start_operator(KEY)
    await next_life.settle()
    assert token_secret(cluster) == former
    assert status_of(cluster)["phase"] == "Ready"
    cluster.instance("later")
    await next_life.settle()
    (pod,) = [
        one
        for one in cluster.of_kind("pods")
        if one["metadata"]["labels"]["trainingsandbox.dev/instance"] == "later"
    ]
    pod = cluster.change("pods", pod["metadata"]["name"], become(build.serving()))
    await next_life.settle()
    later = cluster.objects["secrets", "research", "later-token"]
    claims_of(later["stringData"]["token"], pod)


async def test_warm_pods_of_a_lost_key_are_claimed_by_nobody_and_replaced(
    loop: Loop, cluster: FakeCluster, clock: Clock, start_operator: Start
) -> None:
    await fill(loop, cluster, clock, replicas=2)
    former = names(cluster.of_kind("pods"))
    cluster.objects.pop(("secrets", *KEY))
    cluster.instance("claim", **FROM_POOL)
    next_life = start_operator(KEY)
    await next_life.settle()
    assert status_of(cluster, "claim")["conditions"][0]["reason"] == "WaitingForPool"
    told = pool_status(cluster)
    assert (told["readyReplicas"], told["conditions"][0]["status"]) == (0, "False")
    for name in former:
        assert "deletionTimestamp" in cluster.remove("pods", name)["metadata"]
    await next_life.settle()
    get_ready(cluster)
    clock.advance(2)
    await next_life.settle()
    assert status_of(cluster, "claim")["phase"] == "Ready"
