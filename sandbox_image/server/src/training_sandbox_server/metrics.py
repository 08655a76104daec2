"""What Prometheus is told of this server."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from training_sandbox_server.episode_state import EpisodeState

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100)


class Metrics:
    """A registry of its own: what is counted while the server works, and gauges set when asked.

    Attributes:
        create_seconds: How long creates took, failed ones included; one observation a call, also
            for a group.
        step_seconds: The same of steps, repeated ones included.
        evaluate_seconds: The same of evaluations.
        fork_seconds: The same of forks.

    Args:
        version: The server's.
        environment: What it plays.
    """

    def __init__(self, version: str, environment: str) -> None:
        self._registry = registry = CollectorRegistry()
        self.create_seconds = _histogram(registry, "create", "creating an episode or a group")
        self.step_seconds = _histogram(registry, "step", "a step")
        self.evaluate_seconds = _histogram(registry, "evaluate", "an evaluation")
        self.fork_seconds = _histogram(registry, "fork", "forking a running episode")
        self._failures = Counter(
            "sandbox_failures", "Errors answered, by type", ["type"], registry=registry
        )
        self._out_of_memory = Counter(
            "sandbox_episodes_out_of_memory",
            "Episodes ended because memory was short",
            registry=registry,
        )
        self._steps = Counter("sandbox_steps", "Steps executed", registry=registry)
        self._episodes = Gauge(
            "sandbox_episodes", "Episodes that hold a slot, by state", ["state"], registry=registry
        )
        self._slots = Gauge("sandbox_slots", "Room for episodes", registry=registry)
        self._slots_used = Gauge("sandbox_slots_used", "Slots that are taken", registry=registry)
        self._templates = Gauge("sandbox_templates", "Tasks kept open", registry=registry)
        self._templates_bytes = Gauge(
            "sandbox_templates_memory_bytes", "Private memory of the templates", registry=registry
        )
        self._processes_bytes = Gauge(
            "sandbox_processes_memory_bytes",
            "Proportional set size (PSS) of all processes below the server",
            registry=registry,
        )
        build = Gauge(
            "sandbox_build_info", "Always 1", ["version", "environment"], registry=registry
        )
        build.labels(version, environment).set(1)

    def count_step(self) -> None:
        """A step was executed."""
        self._steps.inc()

    def count_out_of_memory(self) -> None:
        """An episode was ended because memory was short."""
        self._out_of_memory.inc()

    def count_failure(self, kind: str) -> None:
        """An error of a type was answered."""
        self._failures.labels(kind).inc()

    def set_episodes(self, by_state: Mapping[EpisodeState, int], *, slots: int, used: int) -> None:
        """How the table of episodes stands."""
        for state in EpisodeState:
            self._episodes.labels(state.value).set(by_state.get(state, 0))
        self._slots.set(slots)
        self._slots_used.set(used)

    def set_memory(self, *, templates: int, templates_bytes: int, processes_bytes: int) -> None:
        """What is taken by templates, and by all processes together."""
        self._templates.set(templates)
        self._templates_bytes.set(templates_bytes)
        self._processes_bytes.set(processes_bytes)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)


def _histogram(registry: CollectorRegistry, verb: str, what: str) -> Histogram:
    return Histogram(
        f"sandbox_{verb}_seconds", f"Time that {what} took", buckets=_SECONDS, registry=registry
    )
