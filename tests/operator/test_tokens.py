"""Tokens in the whole loop: what is written, what it opens, and what survives."""

from copy import deepcopy

import jwt
import pytest

from tests.operator import builders as build
from tests.operator.conftest import Clock, Loop, SandboxServer
from tests.operator.fake_cluster import FakeCluster
from tests.operator.instance_steps import POD, become, relabel, serve
from tests.operator.token_steps import KEY, Start, claims_of, status_of, token_secret, token_secrets


@pytest.fixture
def loop(start_operator: Start) -> Loop:
    return start_operator(KEY)


async def test_a_ready_instance_owns_a_secret_with_the_token_of_its_server(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    pod = await serve(loop, cluster, sandbox)
    secret = token_secret(cluster)
    instance = cluster.only("traininginstances")
    assert (secret["metadata"]["name"], secret["type"], secret["immutable"]) == (
        status_of(cluster)["tokenSecret"],
        "Opaque",
        True,
    )
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("TrainingInstance", instance["metadata"]["uid"])
    claims = claims_of(secret["stringData"]["token"], pod)
    assert (claims["role"], claims["sub"]) == ("client", instance["metadata"]["uid"])


async def test_a_token_costs_one_write(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    await serve(loop, cluster, sandbox)
    assert [write for write in cluster.writes if "events" not in write] == [
        "POST system/secrets",
        "POST research/pods",
        "PATCH research/traininginstances/demo/status",
        "POST research/secrets",
        "PATCH research/traininginstances/demo/status",
    ]


async def test_what_has_converged_costs_no_write_in_the_next_life(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, start_operator: Start
) -> None:
    await serve(loop, cluster, sandbox)
    cluster.writes.clear()
    await loop.settle()
    await start_operator(KEY).settle()
    assert cluster.writes == []


async def test_warm_pods_cost_no_secret_and_a_claim_costs_one(
    loop: Loop, cluster: FakeCluster
) -> None:
    cluster.pool(replicas=2)
    await loop.settle()
    for pod in list(cluster.of_kind("pods")):
        cluster.change("pods", pod["metadata"]["name"], become(build.serving()))
    await loop.settle()
    assert not token_secrets(cluster)
    cluster.writes.clear()
    cluster.instance("claim", poolRef={"name": "warm"})
    await loop.settle()
    claimed = status_of(cluster, "claim")["podName"]
    assert [one for one in cluster.writes if "events" not in one and "tpool" not in one][:3] == [
        f"PATCH research/pods/{claimed}",
        "POST research/secrets",
        "PATCH research/traininginstances/claim/status",
    ]
    secret = token_secret(cluster)
    claims_of(secret["stringData"]["token"], cluster.objects["pods", "research", claimed])


async def test_the_operator_is_never_told_what_the_secrets_of_instances_hold(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, start_operator: Start
) -> None:
    await serve(loop, cluster, sandbox)
    await start_operator(KEY).settle()
    assert {one for one in cluster.told_whole if one[0] == "secrets"} == {("secrets", KEY.name)}


async def test_a_deleted_secret_comes_back_as_it_was(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox)
    clock.advance(2)
    before = cluster.remove("secrets", "demo-token")["stringData"]
    await loop.settle()
    assert token_secret(cluster)["stringData"] == before
    assert status_of(cluster)["phase"] == "Ready"


def relabel_secret(cluster: FakeCluster, loop: Loop, value: str | None) -> None:
    """Change the label that the operator watches by, and have the watch tell of it."""
    secret = relabel(cluster, "secrets", "demo-token", value)
    loop.controller.observe_secret("DELETED" if value is None else "ADDED", secret)


async def test_a_secret_that_has_lost_its_label_is_written_again(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox)
    clock.advance(2)
    before = token_secret(cluster)
    relabel_secret(cluster, loop, None)
    await loop.work()
    after = token_secret(cluster)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "training-sandbox"
    assert after["stringData"] == before["stringData"]


async def test_a_secret_that_has_its_label_again_is_known_again(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    await serve(loop, cluster, sandbox)
    relabel_secret(cluster, loop, None)
    relabel_secret(cluster, loop, "training-sandbox")
    cluster.writes.clear()
    await loop.work()
    assert cluster.writes == []


async def test_a_secret_whose_end_is_told_late_stays_known_as_it_is_now(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    await serve(loop, cluster, sandbox)
    unlabelled = deepcopy(token_secret(cluster))
    unlabelled["metadata"]["resourceVersion"] = str(next(cluster.versions))
    relabel_secret(cluster, loop, "training-sandbox")
    loop.controller.observe_secret("DELETED", unlabelled)
    cluster.writes.clear()
    await loop.work()
    assert cluster.writes == []


async def test_a_secret_that_is_gone_is_not_brought_back_by_what_was_read_before(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox)
    clock.advance(2)
    read_before = deepcopy(token_secret(cluster))
    gone = cluster.remove("secrets", "demo-token")
    gone["metadata"]["resourceVersion"] = str(next(cluster.versions))
    loop.controller.observe_secret("DELETED", gone)
    loop.controller.observe_secret(None, read_before)
    await loop.work()
    assert token_secret(cluster)["stringData"] == read_before["stringData"]


async def test_a_server_that_restarts_gets_another_token(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    pod = await serve(loop, cluster, sandbox)
    former = token_secret(cluster)["stringData"]["token"]
    pod = cluster.change(
        "pods",
        POD,
        become(
            build.pod_status(
                ready=True,
                ready_changed_at=build.after(15),
                started=True,
                state=build.running(build.after(12)),
                lastState=build.terminated(1),
                restartCount=1,
            )
        ),
    )
    await loop.settle()
    claims_of(token_secret(cluster)["stringData"]["token"], pod)
    with pytest.raises(jwt.InvalidAudienceError):
        claims_of(former, pod)
    assert status_of(cluster)["incarnation"].endswith("-1")


async def test_a_secret_whose_creation_was_not_answered_is_found(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    cluster.instance()
    await loop.settle()
    cluster.change("pods", POD, become(build.serving()))
    cluster.fail("POST", "/research/secrets", 504, after_doing_it=True)
    await loop.settle()
    clock.advance(1)
    await loop.work()
    assert status_of(cluster)["phase"] == "Ready"
    assert len(token_secrets(cluster)) == 1


async def test_a_secret_over_quota_is_told_and_made_when_there_is_room(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    cluster.instance()
    await loop.settle()
    cluster.change("pods", POD, become(build.serving()))
    cluster.fail("POST", "/research/secrets", 403, message="exceeded quota: team")
    await loop.settle()
    condition = status_of(cluster)["conditions"][0]
    assert (condition["reason"], condition["message"]) == ("TokenRejected", "exceeded quota: team")
    clock.advance(10)
    await loop.work()
    assert status_of(cluster)["phase"] == "Ready"


async def test_a_secret_of_somebody_else_is_left_alone_and_told(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    metadata = {"namespace": "research", "name": "demo-token"}
    theirs = cluster._store("secrets", {"metadata": metadata, "data": {"theirs": "x"}})
    uid = cluster.instance()["metadata"]["uid"]
    await loop.settle()
    cluster.change("pods", f"demo-{uid[:8]}", become(build.serving()))
    await loop.settle()
    assert token_secret(cluster) == theirs
    assert status_of(cluster)["conditions"][0]["reason"] == "TokenSecretConflict"
    cluster.remove("secrets", "demo-token")
    clock.advance(10)
    await loop.work()
    assert status_of(cluster)["phase"] == "Ready"


async def test_a_ready_instance_whose_secret_somebody_takes_the_place_of_warns_once(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox)
    cluster.remove("secrets", "demo-token")
    metadata = {"namespace": "research", "name": "demo-token"}
    cluster._store("secrets", {"metadata": metadata, "data": {"theirs": "x"}})
    await loop.settle()
    for _ in range(3):
        clock.advance(60)
        await loop.work()
    assert status_of(cluster)["phase"] == "Ready"
    told = [one["reason"] for one in cluster.of_kind("events") if one["type"] == "Warning"]
    assert told == ["TokenSecretConflict"]


async def test_a_server_is_asked_with_a_token_that_is_short_lived_and_its_own(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    pod = await serve(loop, cluster, sandbox)
    clock.advance(300)
    await loop.work()
    (authorization,) = sandbox.authorizations
    assert authorization is not None
    claims = claims_of(authorization.removeprefix("Bearer "), pod)
    assert claims["role"] == "operator"
    # By the API server's clock: the machine's may be wrong.
    assert claims["exp"] == clock.now.timestamp() + 60


async def test_an_instance_whose_server_takes_no_token_is_kept_until_its_ttl_and_warned_of(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer, clock: Clock
) -> None:
    await serve(loop, cluster, sandbox, ttlSeconds=2000)
    sandbox.data["idle_seconds"] = 9000.0
    sandbox.takes_no_token = True
    for _ in range(199):
        clock.advance(10)
        await loop.work()
    assert cluster.of_kind("traininginstances")
    (warning,) = [one for one in cluster.of_kind("events") if one["reason"] == "IdleUnknown"]
    assert "does not take the operator's token" in warning["message"]
    clock.advance(10)
    await loop.work()
    assert not cluster.of_kind("traininginstances")
