"""What Prometheus is told of the operator."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_PREFIX = "training_sandbox_operator"
_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 180, 300, 600)
_NO_ANSWER = "none"
_VERBS = {"POST": "create", "PUT": "update"}


class Outcome:
    """How a reconciliation has ended: well, unless something else is said.

    Attributes:
        failure: the reason of the error, empty when there was none.
    """

    def __init__(self) -> None:
        self.failure = ""


class Metrics:
    """A registry of its own: what is counted while the operator works, and gauges set when asked.

    Args:
        version: the operator's.
    """

    def __init__(self, version: str = "") -> None:
        self._registry = CollectorRegistry()
        self._leads = self._gauge("leads", "1 while this process leads, else 0")
        self._instances = self._gauge("instances", "TrainingInstances, by phase", "phase")
        self._pool_pods = self._gauge(
            "pool_pods",
            "Warm pods by state: target (wanted), ready",
            "namespace",
            "pool",
            "state",
        )
        self._pool_waiting = self._gauge(
            "pool_waiting_claims", "Instances that wait for a warm pod", "namespace", "pool"
        )
        self._depth = self._gauge("queue_depth", "Keys that wait to be reconciled", "queue")
        self._oldest = self._gauge(
            "queue_oldest_seconds", "How long the key has waited that has waited longest", "queue"
        )
        self._starts = self._gauge(
            "starts_at_once", "Instances that may start at once: fewer while the cluster is busy"
        )
        self._ready = self._histogram(
            "ready_seconds", "From the first sight of an instance to Ready", _SLOW, "start"
        )
        self._claim = self._histogram(
            "claim_seconds", "From the first sight of an instance to its warm pod", _QUICK
        )
        self._claims = self._counter("claims", "Attempts to claim a warm pod", "outcome")
        self._reconcile = self._histogram(
            "reconcile_seconds", "Time that a reconciliation took", _QUICK, "kind"
        )
        self._failures = self._counter(
            "reconcile_failures", "Reconciliations to be tried again", "kind", "reason"
        )
        self._calls = self._counter(
            "api_calls", "Requests to the API server, watches aside", "verb", "resource", "status"
        )
        self._call_seconds = self._histogram(
            "api_call_seconds", "Time that requests to the API server took", _QUICK, "verb"
        )
        self._events = self._counter("events", "Kubernetes Events about instances", "outcome")
        self._late = self._histogram(
            "deadline_late_seconds", "How late what is due at a time was begun", _QUICK, "kind"
        )
        self._gauge("build_info", "Always 1", "version").labels(version).set(1)

    @contextmanager
    def reconciliation(self, kind: str) -> Generator[Outcome]:
        """Measure one reconciliation of an instance or a pool."""
        outcome, begin = Outcome(), time.perf_counter()
        try:
            yield outcome
        finally:
            self._reconcile.labels(kind).observe(time.perf_counter() - begin)
            if outcome.failure:
                self._failures.labels(kind, outcome.failure).inc()

    def count_call(self, method: str, path: str, status: int, seconds: float) -> None:
        """A request to the API server has ended; status 0 stands for no answer."""
        resource, has_name = _resource(path)
        verb = ("get" if has_name else "list") if method == "GET" else _VERBS.get(method)
        verb = verb or method.lower()
        self._calls.labels(verb, resource, str(status) if status else _NO_ANSWER).inc()
        self._call_seconds.labels(verb).observe(seconds)

    def count_claim(self, outcome: str) -> None:
        """A claim was tried: claimed, taken (by another, or gone), rejected."""
        self._claims.labels(outcome).inc()

    def count_event(self, outcome: str) -> None:
        """An Event was to be created: created, failed, dropped (of too many that waited)."""
        self._events.labels(outcome).inc()

    def observe_claim(self, seconds: float) -> None:
        """An instance got its warm pod after this time."""
        self._claim.observe(seconds)

    def observe_ready(self, start: str, seconds: float) -> None:
        """An instance became Ready for the first time; start is cold or claimed."""
        self._ready.labels(start).observe(seconds)

    def observe_late(self, kind: str, seconds: float) -> None:
        """Something due was begun so late."""
        self._late.labels(kind).observe(seconds)

    def set_leads(self, leads: bool) -> None:
        """Whether this process leads."""
        self._leads.set(leads)

    def set_instances(self, by_phase: Mapping[str, int]) -> None:
        """How many instances there are."""
        for phase, count in by_phase.items():
            self._instances.labels(phase).set(count)

    def set_queue(self, queue: str, *, depth: int, oldest_seconds: float) -> None:
        """What waits in a queue."""
        self._depth.labels(queue).set(depth)
        self._oldest.labels(queue).set(oldest_seconds)

    def set_starts_at_once(self, count: int) -> None:
        """How many instances may start at once."""
        self._starts.set(count)

    def clear_pools(self) -> None:
        """Forget all pools: those that are there are set anew."""
        self._pool_pods.clear()
        self._pool_waiting.clear()

    def set_pool(self, namespace: str, pool: str, *, target: int, ready: int, waiting: int) -> None:
        """How a pool stands."""
        self._pool_pods.labels(namespace, pool, "target").set(target)
        self._pool_pods.labels(namespace, pool, "ready").set(ready)
        self._pool_waiting.labels(namespace, pool).set(waiting)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", what, labels, registry=self._registry)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", what, labels, registry=self._registry)

    def _histogram(
        self, name: str, what: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            f"{_PREFIX}_{name}", what, labels, buckets=buckets, registry=self._registry
        )


def _resource(path: str) -> tuple[str, bool]:
    """Return the resource that a path is about, with its subresource, and whether it names one."""
    parts = path.strip("/").split("/")
    # api/VERSION or apis/GROUP/VERSION, then maybe namespaces/NAMESPACE.
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if len(parts) > 2 and parts[0] == "namespaces":  # noqa: PLR2004
        parts = parts[2:]
    return "/".join(parts[:1] + parts[2:3]), len(parts) > 1
