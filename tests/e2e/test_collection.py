"""Collection in time: how late each one was is written to build/e2e/measurements-*.json."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.e2e.conftest import Solutions
from tests.e2e.support.cluster import Namespace, timestamp, wait_until
from tests.e2e.support.play import action
from training_sandbox import TrainingSandbox

# The server's own clock and the API's timestamps of whole seconds.
TOLERANCE = timedelta(seconds=1)


def test_an_instance_is_collected_when_its_time_to_live_is_over(
    namespace: Namespace, measurements: dict[str, float]
) -> None:
    namespace.apply("brief", ttlSeconds=15)
    expires_at = wait_until("expiresAt", lambda: namespace.status("brief").get("expiresAt"))
    gone = namespace.wait_gone("brief")
    late = gone - timestamp(expires_at)
    assert late > -TOLERANCE
    measurements["collected_late_ttl_s"] = late.total_seconds()
    namespace.wait_no_pods()


def test_an_idle_instance_is_collected_counting_from_its_last_call(
    namespace: Namespace, solutions: Solutions, measurements: dict[str, float]
) -> None:
    namespace.apply("idle", envType="appworld", idleTimeoutSeconds=10)
    namespace.wait_phase("idle", "Ready")
    with TrainingSandbox.attach("idle", namespace=namespace.name) as box:
        instance_id = box.create_instance(task_id=next(iter(solutions)))["info"]["instance_id"]
        # Longer than the timeout, and never idle for so long.
        for _ in range(3):
            box.step(instance_id, action("import time; time.sleep(4)"))
            last_call = datetime.now(UTC)
    gone = namespace.wait_gone("idle")
    late = gone - last_call - timedelta(seconds=10)
    assert late > -TOLERANCE
    measurements["collected_late_idle_s"] = late.total_seconds()
    namespace.wait_no_pods()


def test_a_call_that_runs_keeps_the_instance(namespace: Namespace, solutions: Solutions) -> None:
    namespace.apply("busy", envType="appworld", idleTimeoutSeconds=5)
    namespace.wait_phase("busy", "Ready")
    with TrainingSandbox.attach("busy", namespace=namespace.name) as box:
        instance_id = box.create_instance(task_id=next(iter(solutions)))["info"]["instance_id"]
        long_step = "import time; time.sleep(12)"
        assert not box.step(instance_id, action(long_step))["is_terminated"]
        assert namespace.instance("busy") is not None
    namespace.wait_gone("busy")


def test_a_finished_instance_is_collected_after_its_time(
    namespace: Namespace, solutions: Solutions, measurements: dict[str, float]
) -> None:
    task_id, solution = next(iter(solutions.items()))
    namespace.apply("done", envType="appworld", taskId=task_id, ttlSecondsAfterFinished=8)
    namespace.wait_phase("done", "Ready")
    with TrainingSandbox.attach("done", namespace=namespace.name) as box:
        for code in solution["right"]:
            box.step("done", action(code))
    namespace.wait_phase("done", "Finished", seconds=30)
    finished = timestamp(namespace.condition("done", "Finished")["lastTransitionTime"])
    gone = namespace.wait_gone("done")
    late = gone - finished - timedelta(seconds=8)
    assert late > -TOLERANCE
    measurements["collected_late_finished_s"] = late.total_seconds()
    namespace.wait_no_pods()


def test_a_longer_time_to_live_given_later_counts(namespace: Namespace) -> None:
    namespace.apply("extended", ttlSeconds=60)
    before = wait_until("expiresAt", lambda: namespace.status("extended").get("expiresAt"))
    namespace.patch("extended", ttlSeconds=3600)
    after = wait_until(
        "expiresAt moves",
        lambda: (expires := namespace.status("extended")["expiresAt"]) != before and expires,
    )
    assert timestamp(str(after)) - timestamp(before) == timedelta(seconds=3540)
