"""The decision, where it depends on what the server answers: ended tasks and idle servers."""

from collections import Counter
from datetime import timedelta
from typing import Any

from tests.operator import builders as build
from tests.operator.builders import after
from tests.operator.plans import converged, events, kinds, only, ready_condition, written
from training_sandbox_operator.decisions.actions import AskServer, DeleteInstance, EmitEvent, Plan
from training_sandbox_operator.decisions.plan import plan
from training_sandbox_operator.model.server import ServerSilence, TaskReport
from training_sandbox_operator.model.situation import Refusal
from training_sandbox_operator.model.timestamps import format_timestamp

TASK = {"taskId": "82e2fac_1"}
FINISHED = TaskReport(state="terminated", steps=12, reward=1.0, is_finished=True)
PLAYING = TaskReport(state="running", steps=3, reward=None, is_finished=False)
UNREADY_SINCE = after(50)
UNREADY_OCCASION = f"readiness since {UNREADY_SINCE}"


class TestABoundTask:
    def bound(self, **more: Any) -> Any:
        instance = build.instance(**TASK, status=build.ready_status())
        pod = build.pod(instance, status=build.unready(UNREADY_SINCE))
        return build.situation(instance, pod, **more)

    def test_that_may_have_ended_is_asked_for_before_anything_is_written(self) -> None:
        assert kinds(plan(self.bound(), after(51))) == [AskServer]

    def test_that_has_ended_is_finished_with_its_reward_and_steps(self) -> None:
        answer = build.reply(after(51), occasion=UNREADY_OCCASION, task=FINISHED)
        decided = plan(self.bound(answer=answer), after(51))
        status = written(decided)
        assert status["phase"] == "Finished"
        assert status["finishedAt"] == "2026-01-01T12:00:51Z"
        assert status["expiresAt"] == "2026-01-01T12:01:51Z"
        assert status["task"] == {"state": "terminated", "steps": 12, "reward": 1.0}
        assert status["endpoint"] == "http://10.0.0.7:8000"
        finished = next(one for one in status["conditions"] if one["type"] == "Finished")
        assert finished["status"] == "True"
        assert finished["message"] == "the task was terminated after 12 steps with reward 1"
        assert events(decided) == [("Normal", "TaskFinished")]

    def test_that_ended_without_an_evaluation_has_no_reward(self) -> None:
        expired = TaskReport(state="expired", steps=1, reward=None, is_finished=True)
        answer = build.reply(after(51), occasion=UNREADY_OCCASION, task=expired)
        status = written(plan(self.bound(answer=answer), after(51)))
        assert status["task"] == {"state": "expired", "steps": 1}
        assert "no reward" in ready_condition(status)["message"]

    def test_that_has_not_ended_is_not_ready(self) -> None:
        answer = build.reply(after(51), occasion=UNREADY_OCCASION, phase="draining", task=PLAYING)
        status = written(plan(self.bound(answer=answer), after(51)))
        assert status["phase"] == "Starting"
        finished = next(one for one in status["conditions"] if one["type"] == "Finished")
        assert finished["status"] == "False"

    def test_whose_server_does_not_answer_is_asked_again_and_not_given_up(self) -> None:
        answer = ServerSilence(after(51), UNREADY_OCCASION, failures=1, error="timed out")
        decided = plan(self.bound(answer=answer), after(51))
        assert written(decided)["phase"] == "Starting"
        assert decided.deadline == after(53)

    def test_that_ended_while_nobody_looked_is_found_out(self) -> None:
        instance = build.instance(**TASK)
        pod = build.pod(instance, status=build.unready(UNREADY_SINCE))
        assert AskServer in kinds(plan(build.situation(instance, pod), after(500)))

    def test_that_is_being_opened_is_not_asked_for(self) -> None:
        instance = build.instance(**TASK)
        opening = build.pod_status(started=True, state=build.running(after(5)))
        decided = plan(build.situation(instance, build.pod(instance, status=opening)), after(10))
        assert AskServer not in kinds(decided)
        assert decided.deadline == after(65)

    def test_that_is_unknown_to_the_environment_fails_the_instance(self) -> None:
        instance = build.instance(**TASK)
        status = build.pod_status(
            phase="Failed",
            state=build.terminated(64, message='{"reason":"UnknownTask","message":"no task x"}'),
        )
        decided = plan(build.situation(instance, build.pod(instance, status=status)), after(9))
        assert written(decided)["phase"] == "Failed"
        assert ("Warning", "UnknownTask") in events(decided)


class TestAnIdleServer:
    """The instance was ready 10 seconds after its creation and may be idle for 300."""

    def ready(self, **more: Any) -> Any:
        instance, pod = converged({}, build.serving(), seconds=10)
        return build.situation(instance, pod, **more)

    def test_is_left_alone_until_its_deadline(self) -> None:
        assert plan(self.ready(), after(100)) == Plan((), after(310))

    def test_is_asked_when_its_deadline_has_come(self) -> None:
        assert kinds(plan(self.ready(), after(310))) == [AskServer]

    def test_is_deleted_when_it_says_that_it_was_idle_all_the_time(self) -> None:
        decided = plan(self.ready(answer=build.reply(after(310), idle=300)), after(310.1))
        assert kinds(decided) == [DeleteInstance, EmitEvent]
        assert events(decided) == [("Normal", "IdleTimeout")]
        # A call may begin after that: it is asked again.
        assert only(decided, DeleteInstance).wanted_until == after(315)

    def test_lives_on_when_it_was_used_meanwhile(self) -> None:
        answer = build.reply(after(310), idle=50)
        decided = plan(self.ready(answer=answer), after(310.1))
        assert DeleteInstance not in kinds(decided)
        assert decided.deadline == after(560)

    def test_lives_on_while_a_call_is_in_flight(self) -> None:
        decided = plan(self.ready(answer=build.reply(after(310), idle=0, used=1)), after(310.1))
        assert decided.deadline == after(610)
        assert written(decided)["slots"] == {"total": 16, "used": 1}

    def test_is_asked_again_when_its_answer_is_old(self) -> None:
        answer = build.reply(after(310), idle=300)
        decided = plan(self.ready(answer=answer), after(316))
        assert DeleteInstance not in kinds(decided)
        assert AskServer in kinds(decided)

    def test_is_not_deleted_for_what_it_answered_to_another_question(self) -> None:
        answer = build.reply(after(310), idle=300, occasion=UNREADY_OCCASION)
        decided = plan(self.ready(answer=answer), after(310.1))
        assert DeleteInstance not in kinds(decided)
        assert AskServer in kinds(decided)

    def test_that_cannot_be_asked_is_kept_and_asked_again_later(self) -> None:
        silence = ServerSilence(after(310), "idle deadline", failures=2, error="timed out")
        decided = plan(self.ready(answer=silence), after(311))
        assert decided == Plan((), after(314))

    def test_that_cannot_be_asked_for_long_is_warned_of(self) -> None:
        silence = ServerSilence(after(400), "idle deadline", failures=3, error="timed out")
        decided = plan(self.ready(answer=silence), after(408))
        assert events(decided) == [("Warning", "IdleUnknown")]
        assert AskServer in kinds(decided)
        assert DeleteInstance not in kinds(decided)

    def test_was_not_idle_before_it_was_ready(self) -> None:
        answer = build.reply(after(60), idle=400)
        decided = plan(self.ready(answer=answer), after(60.1))
        assert DeleteInstance not in kinds(decided)
        assert decided.deadline == after(310)

    def test_that_is_not_ready_is_not_idle(self) -> None:
        instance = build.instance(status=build.ready_status())
        pod = build.pod(instance, status=build.unready(UNREADY_SINCE))
        answer = build.reply(after(1000), idle=900, occasion=UNREADY_OCCASION, phase="draining")
        decided = plan(build.situation(instance, pod, answer=answer), after(1000))
        assert DeleteInstance not in kinds(decided)

    def test_may_be_given_more_time_while_it_runs(self) -> None:
        known = self.ready()
        longer = build.instance(
            idleTimeoutSeconds=1000, status=dict(known.instance.status), generation=1
        )
        decided = plan(build.situation(longer, *known.pods), after(310))
        assert decided == Plan((), after(1010))


class TestAnOperatorThatHasStarted:
    """It knows no answers, and thousands of instances have been ready for their idle timeout."""

    def due_at(self, number: int, *, ready: float = 10, starts: float = 5000, **spec: Any) -> Any:
        """When one of them is asked, if it was left alone when the operator started."""
        uid = f"0f1e2d3c-4b5a-6978-8796-{number:012x}"
        status = build.ready_status(readyAt=format_timestamp(after(ready)))
        instance = build.instance(uid=uid, status=status, **spec)
        pod = build.pod(instance, status=build.serving())
        situation = build.situation(instance, pod, asks_since=after(starts))
        decided = plan(situation, after(max(starts, ready)))
        assert AskServer not in kinds(decided)
        return decided.deadline

    def test_asks_them_one_after_the_other_within_a_minute(self) -> None:
        due_at = [self.due_at(number) for number in range(600)]
        assert after(5000) <= min(due_at)
        assert max(due_at) <= after(5060)
        assert max(Counter(int(one.timestamp()) for one in due_at).values()) <= 3 * 600 / 60

    def test_asks_them_again_when_they_were_due_if_that_is_later(self) -> None:
        assert self.due_at(0, ready=4900) == after(5200)

    def test_asks_within_the_idle_timeout_if_that_is_short(self) -> None:
        due_at = [self.due_at(number, idleTimeoutSeconds=2) for number in range(100)]
        assert max(due_at) <= after(5002)

    def test_does_not_let_those_wait_that_become_ready_later(self) -> None:
        due_at = {self.due_at(number, ready=5000, idleTimeoutSeconds=9) for number in range(100)}
        assert due_at == {after(5009)}

    def test_goes_by_the_answers_from_then_on(self) -> None:
        instance, pod = converged({}, build.serving(), seconds=10)
        answer = build.reply(after(5001), idle=290)
        situation = build.situation(instance, pod, answer=answer, asks_since=after(5000))
        assert plan(situation, after(5001)).deadline == after(5011)


def test_silence_is_answered_by_ever_longer_pauses_up_to_five_minutes() -> None:
    pauses = [
        (ServerSilence(after(0), "x", failures, "").retry_at - after(0))
        for failures in (1, 2, 3, 9, 500)
    ]
    assert pauses == [timedelta(seconds=seconds) for seconds in (2, 4, 8, 300, 300)]


def test_refusals_are_answered_by_ever_longer_pauses_up_to_five_minutes() -> None:
    pauses = [
        (Refusal(after(0), "PodRejected", "", failures).retry_at - after(0))
        for failures in (1, 2, 3, 9, 500)
    ]
    assert pauses == [timedelta(seconds=seconds) for seconds in (10, 20, 40, 300, 300)]
