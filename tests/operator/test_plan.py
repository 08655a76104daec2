"""The decision, one situation at a time."""

from typing import Any

import pytest

from tests.operator import builders as build
from tests.operator.builders import after
from tests.operator.plans import converged, events, kinds, only, ready_condition, written
from training_sandbox_operator.decisions.actions import (
    AskServer,
    CreatePod,
    DeleteInstance,
    DeletePod,
    EmitEvent,
    Plan,
    WriteStatus,
)
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.model.server import ServerSilence
from training_sandbox_operator.model.situation import Refusal

TASK = {"taskId": "82e2fac_1"}
UNREADY_SINCE = after(50)
UNREADY_OCCASION = f"readiness since {UNREADY_SINCE}"


class TestANewInstance:
    def test_gets_a_pod_and_no_status_yet(self) -> None:
        decided = plan(build.situation(build.instance()), after(0))
        assert kinds(decided) == [CreatePod]
        assert only(decided, CreatePod).manifest["metadata"]["name"] == "demo-0f1e2d3c"

    def test_has_its_status_written_once_the_pod_is_there(self) -> None:
        instance = build.instance()
        pod = build.pod(instance, node=None)
        decided = plan(build.situation(instance, pod), after(1))
        status = written(decided)
        assert status["phase"] == "Pending"
        assert status["podName"] == "demo-0f1e2d3c"
        assert status["podUID"] == build.POD_UID
        assert status["expiresAt"] == "2026-01-01T16:00:00Z"
        assert ready_condition(status)["reason"] == "Scheduling"
        assert events(decided) == [("Normal", "PodCreated")]

    def test_of_an_unknown_environment_waits_and_names_the_known_ones(self) -> None:
        instance = build.instance(envType="webshop")
        decided = plan(build.situation(instance), after(0))
        assert kinds(decided) == [WriteStatus, EmitEvent]
        condition = ready_condition(written(decided))
        assert condition["reason"] == "UnknownEnvironment"
        assert "'webshop'" in condition["message"]
        assert "appworld" in condition["message"]
        assert events(decided) == [("Warning", "UnknownEnvironment")]

    def test_with_too_large_params_waits_and_says_how_large_they_may_be(self) -> None:
        instance = build.instance(**TASK, params={"text": "x" * 200_000})
        decided = plan(build.situation(instance), after(0))
        condition = ready_condition(written(decided))
        assert condition["reason"] == "ParamsTooLarge"
        assert "102400" in condition["message"]
        assert CreatePod not in kinds(decided)

    def test_whose_pod_was_refused_says_why_and_tries_again_later(self) -> None:
        instance = build.instance()
        refusal = Refusal(after(1), "PodRejected", "exceeded quota: pods", failures=1)
        decided = plan(build.situation(instance, refusal=refusal), after(2))
        assert kinds(decided) == [WriteStatus, EmitEvent]
        condition = ready_condition(written(decided))
        assert (condition["reason"], condition["message"]) == (
            "PodRejected",
            "exceeded quota: pods",
        )
        assert decided.deadline == after(11)

    def test_whose_pod_was_refused_tries_again_when_it_is_time(self) -> None:
        refusal = Refusal(after(1), "PodRejected", "exceeded quota: pods", failures=1)
        decided = plan(build.situation(build.instance(), refusal=refusal), after(11))
        assert CreatePod in kinds(decided)

    def test_that_is_being_deleted_is_left_alone(self) -> None:
        decided = plan(build.situation(build.instance(deleting=True)), after(100_000))
        assert decided == Plan()


class TestAServer:
    def test_that_is_ready_has_its_endpoint_written(self) -> None:
        instance = build.instance()
        pod = build.pod(instance, status=build.serving())
        decided = plan(build.situation(instance, pod), after(11))
        status = written(decided)
        assert status["phase"] == "Ready"
        assert status["endpoint"] == "http://10.0.0.7:8000"
        assert status["incarnation"] == f"{build.POD_UID}-0"
        assert status["readyAt"] == "2026-01-01T12:00:11Z"
        assert status["nodeName"] == "worker-1"
        assert ready_condition(status)["status"] == "True"
        assert ("Normal", "ServerReady") in events(decided)

    def test_that_booted_too_long_is_looked_at_again_when_it_becomes_unresponsive(self) -> None:
        booting = build.pod_status(state=build.running(after(0)), started=False)
        instance, pod = converged({}, booting, seconds=1)
        decided = plan(build.situation(instance, pod), after(2))
        assert decided == Plan((), after(60))

    def test_that_was_killed_for_memory_says_so_and_is_not_ready(self) -> None:
        instance = build.instance(status=build.ready_status())
        status = build.pod_status(state=build.terminated(137, "OOMKilled"))
        decided = plan(build.situation(instance, build.pod(instance, status=status)), after(20))
        status = written(decided)
        assert status["phase"] == "Starting"
        assert ready_condition(status)["status"] == "False"
        assert status["lastTermination"]["reason"] == "OOMKilled"
        assert status["lastTermination"]["exitCode"] == 137

    def test_that_was_restarted_is_another_incarnation_and_an_event_tells(self) -> None:
        instance = build.instance(status=build.ready_status())
        status = build.pod_status(
            ready=True,
            started=True,
            restartCount=1,
            state=build.running(after(30)),
            lastState=build.terminated(137, "OOMKilled"),
        )
        decided = plan(build.situation(instance, build.pod(instance, status=status)), after(40))
        after_restart = written(decided)
        assert after_restart["phase"] == "Ready"
        assert after_restart["incarnation"] == f"{build.POD_UID}-1"
        assert after_restart["restarts"] == 1
        assert after_restart["readyAt"] == instance.status["readyAt"]
        (event,) = [one for one in decided.actions if isinstance(one, EmitEvent)]
        assert event.reason == "ServerRestarted"
        assert "OOMKilled" in event.message
        assert f"{build.POD_UID}-0" in event.message

    def test_that_does_not_accept_episodes_is_asked_why(self) -> None:
        instance = build.instance(status=build.ready_status())
        pod = build.pod(instance, status=build.unready(UNREADY_SINCE))
        decided = plan(build.situation(instance, pod), after(51))
        assert ready_condition(written(decided))["reason"] == "ServerNotReady"
        assert only(decided, AskServer).address == "http://10.0.0.7:8000"

    def test_that_says_why_it_does_not_accept_episodes_is_not_asked_again_at_once(self) -> None:
        instance = build.instance(status=build.ready_status())
        pod = build.pod(instance, status=build.unready(UNREADY_SINCE))
        answer = build.reply(after(51), occasion=UNREADY_OCCASION, phase="draining")
        decided = plan(build.situation(instance, pod, answer=answer), after(52))
        condition = ready_condition(written(decided))
        assert "draining" in condition["message"]
        assert AskServer not in kinds(decided)
        assert decided.deadline == after(66)

    def test_that_runs_and_does_not_answer_is_unresponsive(self) -> None:
        instance = build.instance(status=build.ready_status())
        pod = build.pod(instance, status=build.unready(UNREADY_SINCE))
        answer = ServerSilence(after(51), UNREADY_OCCASION, 1, "timed out")
        decided = plan(build.situation(instance, pod, answer=answer), after(52))
        assert ready_condition(written(decided))["reason"] == "Unresponsive"
        assert ("Warning", "Unresponsive") in events(decided)


class TestALostPod:
    @pytest.mark.parametrize("pods", [[], ["other"]])
    def test_that_is_gone_fails_the_instance_and_is_not_made_again(self, pods: list[str]) -> None:
        instance = build.instance(status=build.ready_status())
        others = [build.pod(instance, uid=uid, status=build.serving()) for uid in pods]
        decided = plan(build.situation(instance, *others), after(20))
        assert written(decided)["phase"] == "Failed"
        assert "endpoint" not in written(decided)
        assert ready_condition(written(decided))["reason"] == "PodDeleted"
        assert CreatePod not in kinds(decided)

    def test_that_is_deleted_by_hand_fails_the_instance_while_it_terminates(self) -> None:
        instance = build.instance(status=build.ready_status())
        pod = build.pod(instance, status=build.serving(), terminates_at=after(50))
        decided = plan(build.situation(instance, pod), after(20))
        assert ready_condition(written(decided))["reason"] == "PodDeleted"
        assert DeletePod not in kinds(decided)

    @pytest.mark.parametrize("with_instance", [True, False])
    def test_that_a_dead_node_does_not_end_is_ended_by_force(self, with_instance: bool) -> None:
        instance = build.instance(status=build.terminal_status("Failed", finished_at=after(20)))
        pod = build.pod(instance, status=build.serving(), terminates_at=after(50))
        known = build.situation(instance if with_instance else None, pod)
        assert DeletePod not in kinds(plan(known, after(79.9)))
        assert only(plan(known, after(80)), DeletePod).force

    def test_of_another_owner_is_never_touched(self) -> None:
        instance = build.instance()
        namesake = build.instance(uid=f"{build.UID[:8]}-of-another")
        stranger = build.pod(namesake, status=build.serving())
        assert stranger.key.name == instance.pod_name
        refusal = Refusal(after(1), "PodNameConflict", "pod demo-0f1e2d3c exists", failures=1)
        decided = plan(build.situation(instance, stranger, refusal=refusal), after(2))
        assert ready_condition(written(decided))["reason"] == "PodNameConflict"
        assert DeletePod not in kinds(decided)


class TestAFailedInstance:
    def failed(self, *, pod: bool = True, **spec: Any) -> Any:
        status = build.terminal_status("Failed", finished_at=after(100), observedGeneration=1)
        instance = build.instance(**spec, status=status)
        status["expiresAt"] = "2026-01-01T12:02:40Z"
        if spec.get("retainFailed"):
            status["expiresAt"] = "2026-01-01T16:00:00Z"
        pods = [build.pod(instance, status=build.serving())] if pod else []
        return build.situation(instance, *pods)

    def test_gives_its_pods_resources_back_at_once(self) -> None:
        decided = plan(self.failed(), after(101))
        assert kinds(decided) == [DeletePod]
        assert only(decided, DeletePod).uid == build.POD_UID
        assert not only(decided, DeletePod).force

    def test_keeps_its_pod_until_the_status_is_written(self) -> None:
        instance = build.instance(status=build.ready_status())
        evicted = {"phase": "Failed", "reason": "Evicted", "message": "disk"}
        decided = plan(build.situation(instance, build.pod(instance, status=evicted)), after(20))
        assert DeletePod not in kinds(decided)

    def test_is_deleted_when_it_has_been_readable_long_enough(self) -> None:
        known = self.failed(pod=False)
        assert plan(known, after(159.9)) == Plan((), after(160))
        assert DeleteInstance in kinds(plan(known, after(160)))

    def test_that_is_retained_keeps_its_pod_until_ttl(self) -> None:
        known = self.failed(retainFailed=True)
        assert plan(known, after(14399)) == Plan((), after(14400))
        assert DeleteInstance in kinds(plan(known, after(14400)))

    def test_stays_failed_when_its_pod_serves_again(self) -> None:
        decided = plan(self.failed(retainFailed=True), after(200))
        assert decided.actions == ()

    def test_shows_a_changed_deadline(self) -> None:
        known = self.failed(pod=False, ttlSecondsAfterFinished=600)
        assert written(plan(known, after(101)))["expiresAt"] == "2026-01-01T12:11:40Z"


class TestAFinishedInstance:
    def test_keeps_its_pod_so_that_results_can_be_read(self) -> None:
        status = build.terminal_status(
            "Finished",
            finished_at=after(100),
            observedGeneration=1,
            expiresAt="2026-01-01T12:02:40Z",
        )
        instance = build.instance(**TASK, status=status)
        pod = build.pod(instance, status=build.unready(after(99)))
        assert plan(build.situation(instance, pod), after(101)) == Plan((), after(160))

    def test_of_zero_seconds_is_deleted_at_once(self) -> None:
        status = build.terminal_status("Finished", finished_at=after(100))
        instance = build.instance(**TASK, ttlSecondsAfterFinished=0, status=status)
        assert DeleteInstance in kinds(plan(build.situation(instance), after(100)))

    def test_never_outlives_its_ttl(self) -> None:
        status = build.terminal_status("Finished", finished_at=after(100))
        instance = build.instance(**TASK, ttlSeconds=110, status=status)
        assert DeleteInstance in kinds(plan(build.situation(instance), after(110)))


class TestTimeToLive:
    @pytest.mark.parametrize("phase", ["Pending", "Starting", "Ready"])
    def test_ends_every_instance(self, phase: str) -> None:
        instance = build.instance(ttlSeconds=60, status=build.ready_status(phase=phase))
        pod = build.pod(instance, status=build.serving())
        decided = plan(build.situation(instance, pod), after(60))
        assert kinds(decided) == [DeleteInstance, EmitEvent]
        assert events(decided) == [("Normal", "TTLExpired")]

    def test_ends_an_instance_that_never_had_a_pod(self) -> None:
        instance = build.instance(envType="webshop", ttlSeconds=60)
        assert DeleteInstance in kinds(plan(build.situation(instance), after(60)))
