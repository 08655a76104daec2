"""How long instances are on their way to a warm pod, and to Ready."""

import time
from collections.abc import Callable

from training_sandbox_operator.metrics import Metrics
from training_sandbox_operator.model.instance import TrainingInstance


class Journeys:
    """Measures from the moment that a watch told of a new instance, by a monotonic clock.

    ``creationTimestamp`` has whole seconds, of another machine. Instances that were there before
    the operator are not measured.

    Args:
        metrics: is told.
        clock: monotonic seconds.
    """

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.perf_counter) -> None:
        self._metrics = metrics
        self._clock = clock
        self._begun: dict[str, float] = {}

    def begin(self, instance: TrainingInstance) -> None:
        """Take in that an instance was created."""
        if instance.phase is None:
            self._begun.setdefault(instance.uid, self._clock())

    def claimed(self, instance: TrainingInstance) -> None:
        """Take in that an instance has got its warm pod."""
        begun = self._begun.get(instance.uid)
        if begun is not None:
            self._metrics.observe_claim(self._clock() - begun)

    def ready(self, instance: TrainingInstance) -> None:
        """Take in that an instance has become Ready."""
        begun = self._begun.pop(instance.uid, None)
        if begun is not None:
            start = "cold" if instance.status.get("podName") == instance.pod_name else "claimed"
            self._metrics.observe_ready(start, self._clock() - begun)

    def forget(self, uid: str) -> None:
        """Take in that an instance is gone."""
        self._begun.pop(uid, None)
