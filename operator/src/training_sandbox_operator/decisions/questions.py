"""When the server of an instance is asked for its /status, and when it counts as idle.

The server is asked when a deadline has come, never streamed from: an instance costs nothing while
nothing is due.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from training_sandbox_operator.decisions.verdict import Verdict, readiness_occasion
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.reasons import Phase
from training_sandbox_operator.model.server import ServerAnswer, ServerReply, ServerSilence

IDLE_OCCASION = "idle deadline"

# An answer that is older says nothing about now: a call may have begun since.
_FRESH = timedelta(seconds=5)
_UNREADY_PERIOD = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Question:
    """When the server is to be asked next, and why."""

    due_at: datetime
    occasion: str


def next_question(
    instance: TrainingInstance,
    pod: Pod,
    verdict: Verdict,
    answer: ServerAnswer | None,
    now: datetime,
) -> Question | None:
    """Return the next question, None when the server has nothing to tell."""
    if not pod.ip:
        return None
    if verdict.phase is Phase.READY:
        return Question(_idle_question_due_at(instance, answer, now), IDLE_OCCASION)
    # A server that is ready, while its instance is not, is what waits: for a token.
    if verdict.phase is Phase.STARTING and pod.container.has_started and not pod.is_ready:
        return _unready_question(pod, answer, now)
    return None


def is_idle(instance: TrainingInstance, answer: ServerAnswer | None, now: datetime) -> bool:
    """Return whether the server itself has just said that it was idle for the whole timeout."""
    ready_at = instance.ready_at
    if ready_at is None or not isinstance(answer, ServerReply) or answer.occasion != IDLE_OCCASION:
        return False
    # A warm pod was idle before it was claimed, which is nothing to the instance.
    idle = min(answer.idle, answer.at - ready_at)
    return idle >= instance.idle_timeout and now - answer.at <= _FRESH


def _idle_question_due_at(
    instance: TrainingInstance, answer: ServerAnswer | None, now: datetime
) -> datetime:
    active_at = instance.ready_at or now
    if isinstance(answer, ServerReply):
        active_at = max(active_at, answer.at - answer.idle)
    due_at = active_at + instance.idle_timeout
    if isinstance(answer, ServerSilence):
        due_at = max(due_at, answer.retry_at)
    return due_at


def _unready_question(pod: Pod, answer: ServerAnswer | None, now: datetime) -> Question | None:
    """Ask a server that has become unready why: a bound task may have ended."""
    running_since = pod.container.running_since
    if running_since is None:
        return None
    occasion = readiness_occasion(pod)
    if answer is not None and answer.occasion == occasion:
        if isinstance(answer, ServerSilence):
            return Question(answer.retry_at, occasion)
        return Question(answer.at + _UNREADY_PERIOD, occasion)
    return Question(now if pod.has_served else running_since + pod.startup, occasion)
