"""A sandbox creates its TrainingInstance, waits for it, and leaves none behind."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from tests.client.support.cutting_proxy import Cut, CuttingProxy
from tests.client.support.stub_cluster import Object, StubCluster, refusal
from training_sandbox import (
    AsyncTrainingSandbox,
    ClusterUnavailable,
    InstanceExists,
    InstanceLost,
    InstanceNotFound,
    InstanceNotReady,
    InstanceRejected,
    InvalidRequest,
    TrainingSandbox,
    UnknownEnvironment,
    UnknownTask,
)
from training_sandbox import _kubernetes as kubernetes


async def test_an_instance_lives_as_long_as_the_block(cluster: StubCluster) -> None:
    async with AsyncTrainingSandbox("appworld") as box:
        (name,) = cluster.objects
        assert name.startswith("appworld-")
        assert box.name == name
    assert not cluster.objects


async def test_an_exception_deletes_the_instance(cluster: StubCluster) -> None:
    with pytest.raises(ZeroDivisionError):
        async with AsyncTrainingSandbox():
            raise ZeroDivisionError
    assert not cluster.objects


async def test_the_spec_has_what_was_asked_for_and_nothing_else(cluster: StubCluster) -> None:
    async with AsyncTrainingSandbox(
        "appworld",
        name="mine",
        slots=4,
        env={"KEY": "value"},
        image_pull_secrets=["registry"],
        node_selector={"pool": "rl"},
        ttl_seconds=60,
        image=None,
    ):
        assert cluster.objects["mine"]["spec"] == {
            "envType": "appworld",
            "slots": 4,
            "env": [{"name": "KEY", "value": "value"}],
            "imagePullSecrets": [{"name": "registry"}],
            "nodeSelector": {"pool": "rl"},
            "ttlSeconds": 60,
        }


async def test_the_namespace_is_the_contexts_unless_it_is_named(cluster: StubCluster) -> None:
    async with (
        AsyncTrainingSandbox(name="a"),
        AsyncTrainingSandbox(name="b", context="other"),
        AsyncTrainingSandbox(name="c", namespace="mine"),
    ):
        namespaces = {n: o["metadata"]["namespace"] for n, o in cluster.objects.items()}
    assert namespaces == {"a": "ns", "b": "ns2", "c": "mine"}


def test_an_option_that_does_not_exist_is_named() -> None:
    with pytest.raises(TypeError, match="'slotz'"):
        TrainingSandbox(slotz=1)


@pytest.mark.parametrize(
    "options",
    [{"endpoint": "http://127.0.0.1:1", "local": True}, {"params": {"a": 1}}],
    ids=["two places", "params without a task"],
)
def test_options_that_exclude_each_other_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        TrainingSandbox(**options)


async def test_a_refusal_is_told_in_the_apis_words(cluster: StubCluster) -> None:
    cluster.misbehave("create", refusal(422, "spec.slots: must be less than or equal to 256"))
    with pytest.raises(InstanceRejected, match="less than or equal to 256"):
        await AsyncTrainingSandbox(slots=1000).start()


async def test_a_cluster_without_the_operators_api_is_told_from_a_refusal(
    cluster: StubCluster,
) -> None:
    cluster.misbehave("create", refusal(404, "the server could not find the requested resource"))
    with pytest.raises(ClusterUnavailable, match="Helm chart"):
        await AsyncTrainingSandbox().start()


async def test_a_namespace_that_is_not_there_is_a_refusal(cluster: StubCluster) -> None:
    answer = refusal(404, 'namespaces "ns" not found', name="ns", kind="namespaces")
    cluster.misbehave("create", answer)
    with pytest.raises(InstanceRejected, match="namespaces"):
        await AsyncTrainingSandbox().start()


async def test_a_name_that_is_taken_is_refused_and_its_instance_left_alone(
    cluster: StubCluster,
) -> None:
    async with AsyncTrainingSandbox(name="mine"):
        with pytest.raises(InstanceExists, match="attach"):
            await AsyncTrainingSandbox(name="mine").start()
        assert "mine" in cluster.objects


async def test_an_instance_that_does_not_become_ready_is_explained_and_deleted(
    cluster: StubCluster,
) -> None:
    cluster.reconcile = lambda resource: cluster.status(
        resource, "Starting", "False", "Booting", "the environment loads"
    )
    cluster.pod_log = "first line\nlast words\n"
    with pytest.raises(InstanceNotReady, match="the environment loads") as caught:
        await AsyncTrainingSandbox(ready_timeout=0.5).start()
    assert caught.value.reason == "Booting"
    assert caught.value.log.endswith("last words")
    assert not cluster.objects


async def test_an_instance_that_failed_is_not_waited_for(cluster: StubCluster) -> None:
    cluster.reconcile = lambda resource: cluster.status(
        resource, "Failed", "False", "OOMKilled", "the server used more than 6Gi"
    )
    with pytest.raises(InstanceNotReady, match="6Gi") as caught:
        await AsyncTrainingSandbox(ready_timeout=60).start()
    assert caught.value.reason == "OOMKilled"
    assert not cluster.objects


@pytest.mark.parametrize(
    ("phase", "reason", "error"),
    [
        ("Pending", "UnknownEnvironment", UnknownEnvironment),
        ("Pending", "OverrideNotAllowed", InvalidRequest),
        ("Failed", "UnknownTask", UnknownTask),
        ("Failed", "InvalidTask", InvalidRequest),
    ],
)
async def test_what_the_caller_got_wrong_is_told_as_such(
    cluster: StubCluster, phase: str, reason: str, error: type[Exception]
) -> None:
    cluster.reconcile = lambda resource: cluster.status(resource, phase, "False", reason, "no such")
    with pytest.raises(error, match="no such"):
        await AsyncTrainingSandbox(ready_timeout=60).start()
    assert not cluster.objects


async def test_an_instance_that_is_deleted_meanwhile_is_lost(cluster: StubCluster) -> None:
    cluster.reconcile = lambda resource: cluster.delete(resource["metadata"]["name"])
    with pytest.raises(InstanceLost, match="deleted"):
        await AsyncTrainingSandbox(ready_timeout=60).start()


async def test_readiness_is_noticed_as_it_comes(cluster: StubCluster) -> None:
    cluster.reconcile = lambda resource: cluster.status(resource, "Pending", "False", "Scheduling")
    starting = asyncio.create_task(AsyncTrainingSandbox(name="mine", ready_timeout=60).start())
    await cluster.until_created()
    cluster.status(cluster.objects["mine"], "Starting", "False", "Booting")
    cluster.ready(cluster.objects["mine"])
    await starting


async def test_a_cancelled_wait_deletes_the_instance(cluster: StubCluster) -> None:
    cluster.reconcile = lambda _: None
    starting = asyncio.create_task(AsyncTrainingSandbox(name="mine").start())
    await cluster.until_created()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not cluster.objects


async def test_kept_instances_stay(cluster: StubCluster) -> None:
    async with AsyncTrainingSandbox(name="mine", keep=True):
        pass
    assert "mine" in cluster.objects


async def test_what_did_not_become_ready_is_not_kept(cluster: StubCluster) -> None:
    cluster.reconcile = lambda resource: cluster.status(resource, "Failed", "False", "OOMKilled")
    with pytest.raises(InstanceNotReady):
        await AsyncTrainingSandbox(name="mine", keep=True).start()
    assert not cluster.objects


async def test_an_attached_instance_is_used_and_left(cluster: StubCluster) -> None:
    async with AsyncTrainingSandbox("appworld", name="mine"):
        async with AsyncTrainingSandbox.attach("mine") as attached:
            assert await attached.get_env_profile() == ["task_1", "task_2"]
        assert "mine" in cluster.objects


async def test_attaching_to_nothing_says_so(cluster: StubCluster) -> None:
    with pytest.raises(InstanceNotFound, match="nonesuch"):
        await AsyncTrainingSandbox.attach("nonesuch").start()


def test_a_sandbox_that_is_dropped_takes_its_instance_along(cluster: StubCluster) -> None:
    box = TrainingSandbox(name="mine")
    box.start()
    assert "mine" in cluster.objects
    del box
    gc.collect()
    assert not cluster.objects


async def test_another_instance_of_the_name_is_not_deleted(cluster: StubCluster) -> None:
    box = AsyncTrainingSandbox(name="mine")
    await box.start()
    cluster.delete("mine")
    async with AsyncTrainingSandbox(name="mine"):
        await box.close()
        assert "mine" in cluster.objects


def test_progress_shows_phase_and_reason(
    cluster: StubCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    def slowly(resource: Object) -> None:
        cluster.status(resource, "Pending", "False", "Unschedulable")

    cluster.reconcile = slowly
    with pytest.raises(InstanceNotReady):
        TrainingSandbox(name="mine", ready_timeout=0.5, progress=True).start()
    assert "instance ns/mine: Pending: Unschedulable" in capfd.readouterr().err


def test_without_a_terminal_nothing_is_printed(
    cluster: StubCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    with TrainingSandbox():
        pass
    assert capfd.readouterr() == ("", "")


async def test_no_cluster_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nonesuch"))
    with pytest.raises(ClusterUnavailable, match=r"endpoint=.*local=True"):
        await AsyncTrainingSandbox().start()


async def test_a_connection_that_the_cluster_never_answers_is_given_up_for_another(
    cluster: StubCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(kubernetes, "FIRST_TRY_SECONDS", 0.5)
    proxy = CuttingProxy(cluster.url)
    proxy.cut_next(Cut.SILENT)
    with proxy.serving() as url:
        connection = await kubernetes.connect(cluster.kubeconfig(url, tmp_path), None)
    assert connection.namespace == "ns"


async def test_a_cluster_that_answers_no_connection_is_told_with_the_time_that_was_waited(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(kubernetes, "CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        monkeypatch.setenv("KUBECONFIG", StubCluster().kubeconfig(url, tmp_path))
        with pytest.raises(ClusterUnavailable, match=r"does not answer: not within 0\.3 s"):
            await AsyncTrainingSandbox().start()


async def test_a_cluster_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("KUBECONFIG", StubCluster().kubeconfig("http://127.0.0.1:9", tmp_path))
    with pytest.raises(ClusterUnavailable, match="refused"):
        await AsyncTrainingSandbox().start()
