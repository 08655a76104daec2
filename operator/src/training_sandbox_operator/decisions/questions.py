"""When the server of an instance is asked for its /status, and when it counts as idle.

The server is asked when a deadline has come, never streamed from: an instance costs nothing while
nothing is due. An operator that starts knows no answers, and so not when the servers were called
last: all that have been ready for their idle timeout would be due at once. They are asked one after
the other within a minute, or within the idle timeout if that is shorter.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from training_sandbox_operator.decisions.verdict import Verdict, readiness_occasion
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.reasons import Phase
from training_sandbox_operator.model.server import ServerAnswer, ServerReply, ServerSilence
from training_sandbox_operator.model.situation import Situation

IDLE_OCCASION = "idle deadline"

# An answer that is older says nothing about now: a call may have begun since.
_FRESH = timedelta(seconds=5)
_UNREADY_PERIOD = timedelta(seconds=15)
_LONGEST_SPREAD = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Question:
    """When the server is to be asked next, and why."""

    due_at: datetime
    occasion: str


def next_question(
    situation: Situation, instance: TrainingInstance, pod: Pod, verdict: Verdict, now: datetime
) -> Question | None:
    """Return the next question, None when the server has nothing to tell."""
    answer = situation.answer
    if not pod.ip:
        return None
    if verdict.phase is Phase.READY:
        due_at = _idle_question_due_at(instance, answer, now)
        if answer is None and situation.asks_since is not None:
            due_at = max(due_at, situation.asks_since + _turn_after_start(instance))
        return Question(due_at, IDLE_OCCASION)
    # A server that is ready, while its instance is not, is what waits: for a token.
    if verdict.phase is Phase.STARTING and pod.container.has_started and not pod.is_ready:
        return _unready_question(pod, answer, now)
    return None


def is_idle(instance: TrainingInstance, answer: ServerAnswer, now: datetime) -> bool:
    """Return whether the server itself has just said that it was idle for the whole timeout."""
    ready_at = instance.ready_at
    if ready_at is None or not isinstance(answer, ServerReply) or answer.occasion != IDLE_OCCASION:
        return False
    # A warm pod was idle before it was claimed, which is nothing to the instance.
    idle = min(answer.idle, answer.at - ready_at)
    return idle >= instance.idle_timeout and now <= fresh_until(answer)


def fresh_until(answer: ServerAnswer) -> datetime:
    """Return until when an answer says something about now."""
    return answer.at + _FRESH


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


def _turn_after_start(instance: TrainingInstance) -> timedelta:
    """Return how long after a start of the operator the server is asked, if that was due before.

    Not longer than the idle timeout: what becomes ready after the start is asked when it is due.
    """
    share = zlib.crc32(instance.uid.encode()) / 2**32
    return share * min(_LONGEST_SPREAD, instance.idle_timeout)


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
