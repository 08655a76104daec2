"""What Prometheus is told."""

from __future__ import annotations

import pytest

from tests.operator import builders as build
from tests.operator.conftest import Clock, Loop, SandboxServer
from tests.operator.fake_cluster import FakeCluster
from tests.operator.instance_steps import POD, become, schedule
from tests.operator.pool_steps import FROM_POOL, fill
from training_sandbox_operator.cluster.events import EventRecorder
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.decisions.actions import EmitEvent
from training_sandbox_operator.metrics import Metrics

PREFIX = "training_sandbox_operator_"


def told(metrics: Metrics) -> list[str]:
    return [
        line.removeprefix(PREFIX)
        for line in metrics.text().decode().splitlines()
        if not line.startswith("#")
    ]


def value(metrics: Metrics, name: str) -> float:
    (found,) = [line.split()[-1] for line in told(metrics) if line.startswith(f"{name} ")]
    return float(found)


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "api/v1/pods", 'resource="pods",status="200",verb="list"'),
        ("GET", "api/v1/namespaces/a/pods/b", 'resource="pods",status="200",verb="get"'),
        ("POST", "api/v1/namespaces/a/pods", 'resource="pods",status="200",verb="create"'),
        (
            "PATCH",
            "apis/trainingsandbox.dev/v1alpha1/namespaces/a/traininginstances/b/status",
            'resource="traininginstances/status",status="200",verb="patch"',
        ),
        (
            "PUT",
            "apis/coordination.k8s.io/v1/namespaces/a/leases/b",
            'resource="leases",status="200",verb="update"',
        ),
    ],
)
def test_requests_are_counted_by_verb_and_resource(method: str, path: str, labels: str) -> None:
    metrics = Metrics()
    metrics.count_call(method, path, 200, 0.1)
    assert f"api_calls_total{{{labels}}} 1.0" in told(metrics)


def test_a_request_without_an_answer_has_no_status() -> None:
    metrics = Metrics()
    metrics.count_call("GET", "api/v1/pods", 0, 30.0)
    assert 'api_calls_total{resource="pods",status="none",verb="list"} 1.0' in told(metrics)


async def test_instances_are_told_by_phase_and_what_is_gone_is_not(
    loop: Loop, cluster: FakeCluster, clock: Clock
) -> None:
    metrics = loop.controller._metrics
    cluster.instance(ttlSeconds=60)
    await schedule(loop, cluster)
    loop.controller.set_gauges()
    assert 'instances{phase="Pending"} 1.0' in told(metrics)
    clock.advance(63)
    await loop.work()
    loop.controller.set_gauges()
    assert 'instances{phase="Pending"} 0.0' in told(metrics)
    assert 'deadline_late_seconds_sum{kind="instance"} 3.0' in told(metrics)


async def test_the_way_of_a_new_instance_to_ready_is_measured_once(
    loop: Loop, cluster: FakeCluster, sandbox: SandboxServer
) -> None:
    loop.controller.observe_instance("ADDED", cluster.instance())
    await loop.work()
    (pod,) = cluster.of_kind("pods")
    name = pod["metadata"]["name"]
    cluster.change("pods", name, lambda one: one.update(status=build.serving()))
    sandbox.incarnation = f"{pod['metadata']['uid']}-0"
    await loop.settle()
    await loop.settle()
    assert 'ready_seconds_count{start="cold"} 1.0' in told(loop.controller._metrics)


async def test_a_failure_is_counted_with_its_reason(loop: Loop, cluster: FakeCluster) -> None:
    cluster.instance()
    cluster.fail("POST", "/pods", 503)
    await loop.settle()
    failures = told(loop.controller._metrics)
    assert 'reconcile_failures_total{kind="instance",reason="Injected"} 1.0' in failures


async def test_an_event_is_counted_by_what_came_of_it(loop: Loop, cluster: FakeCluster) -> None:
    cluster.instance()
    cluster.fail("POST", "/events", 503)
    await schedule(loop, cluster)
    cluster.change("pods", POD, become(build.serving()))
    await loop.settle()
    events = [line for line in told(loop.controller._metrics) if line.startswith("events_total")]
    assert events == ['events_total{outcome="failed"} 1.0', 'events_total{outcome="created"} 1.0']


def test_of_too_many_events_the_oldest_are_dropped_and_counted(api: KubernetesApi) -> None:
    metrics = Metrics()
    recorder = EventRecorder(api, metrics)
    for number in range(10_003):
        recorder.emit(
            EmitEvent(build.instance(), "Normal", "Created", "it", about=f"{number}"), build.CREATED
        )
    assert 'events_total{outcome="dropped"} 3.0' in told(metrics)


async def test_nothing_is_kept_of_an_instance_that_went_unseen(
    loop: Loop, cluster: FakeCluster
) -> None:
    loop.controller.observe_instance("ADDED", cluster.instance())
    assert loop.controller._journeys._begun
    cluster.remove("traininginstances", "demo")
    await loop.settle()
    assert not loop.controller._journeys._begun


async def test_what_waits_in_a_queue_is_told(loop: Loop, cluster: FakeCluster) -> None:
    cluster.instance()
    await loop.controller.synchronise()
    loop.controller.set_gauges()
    assert 'queue_depth{queue="instances"} 1.0' in told(loop.controller._metrics)
    assert loop.controller._queue.oldest_seconds() > 0
    await loop.work()
    assert loop.controller._queue.oldest_seconds() == 0


async def test_a_pool_that_is_gone_is_not_told_any_more(loop: Loop, cluster: FakeCluster) -> None:
    cluster.pool(replicas=2)
    await loop.settle()
    loop.controller.set_gauges()
    metrics = loop.controller._metrics
    assert 'pool_pods{namespace="research",pool="warm",state="target"} 2.0' in told(metrics)
    cluster.remove("trainingpools", "warm")
    await loop.settle()
    loop.controller.set_gauges()
    assert not [line for line in told(metrics) if line.startswith("pool_pods")]


async def test_a_claim_is_measured_from_the_queue_to_ready_and_who_waits_on_is_counted(
    loop: Loop, cluster: FakeCluster, clock: Clock, api: KubernetesApi
) -> None:
    metrics = loop.controller._metrics
    await fill(loop, cluster, clock, replicas=1)
    for name in ("first", "second"):
        loop.controller.observe_instance("ADDED", cluster.instance(name, **FROM_POOL))
    loop.controller.set_gauges()
    assert value(metrics, 'queue_oldest_seconds{queue="claims"}') > 0
    api._on_call = metrics.count_call
    await loop.work()
    clock.advance(2)
    await loop.work()
    loop.controller.set_gauges()
    assert value(metrics, 'claims_total{outcome="claimed"}') == 1
    assert value(metrics, "claim_seconds_count") == 1
    assert value(metrics, 'ready_seconds_count{start="claimed"}') == 1
    assert value(metrics, 'pool_waiting_claims{namespace="research",pool="warm"}') == 1
    assert value(metrics, 'queue_oldest_seconds{queue="claims"}') == 0
    assert value(metrics, 'reconcile_seconds_count{kind="instance"}') > 0
    assert value(metrics, 'reconcile_seconds_count{kind="pool"}') > 0
    # The claim and three statuses; a pod in the place of the claimed one.
    assert value(metrics, 'api_call_seconds_count{verb="patch"}') == 4
    assert value(metrics, 'api_call_seconds_count{verb="create"}') == 1
