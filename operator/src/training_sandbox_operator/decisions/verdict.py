"""What is to be said about an instance: its phase and why."""

from dataclasses import dataclass
from datetime import datetime

from training_sandbox_operator.decisions.pod_spec import LARGEST_PARAMS, oversized_params
from training_sandbox_operator.decisions.pod_state import PodState, Stage, assess
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.reasons import Phase, Reason
from training_sandbox_operator.model.server import ServerReply, ServerSilence, TaskReport
from training_sandbox_operator.model.situation import Situation


@dataclass(frozen=True, slots=True)
class Verdict:
    """Phase of an instance, and the reason and message of its Ready condition.

    Attributes:
        task: how the bound task ended; only when Finished.
        changes_at: when the verdict changes although nothing else does.
    """

    phase: Phase
    reason: str
    message: str
    task: TaskReport | None = None
    changes_at: datetime | None = None


def judge(situation: Situation, instance: TrainingInstance, now: datetime) -> Verdict:
    """Return the phase that an instance which is not terminal is in now."""
    pod = situation.pod
    if pod is None:
        return _judge_without_pod(situation, instance)
    task = _finished_task(situation, instance)
    if task is not None:
        return Verdict(Phase.FINISHED, Reason.TASK_FINISHED, describe_task(task), task=task)
    state = assess(pod, now)
    match state.stage:
        case Stage.LOST:
            return Verdict(Phase.FAILED, state.reason, state.message)
        case Stage.WAITING:
            return Verdict(Phase.PENDING, state.reason, state.message)
        case Stage.SERVING:
            return Verdict(Phase.READY, state.reason, _serving_message(pod))
        case Stage.STARTING:
            return _judge_starting(situation, pod, state)


def readiness_occasion(pod: Pod) -> str:
    """Return a mark of the pod's present spell of readiness, or of the lack of it."""
    return f"readiness since {pod.readiness_changed_at}"


def describe_task(task: TaskReport) -> str:
    """Return one sentence on how the task ended."""
    steps = f"{task.steps} step{'' if task.steps == 1 else 's'}"
    reward = "no reward" if task.reward is None else f"reward {task.reward:g}"
    return f"the task was {task.state} after {steps} with {reward}"


def _judge_without_pod(situation: Situation, instance: TrainingInstance) -> Verdict:
    if instance.pod_uid is not None:
        return Verdict(
            Phase.FAILED,
            Reason.POD_DELETED,
            f"pod {instance.pod_name} is gone, and its episodes with it",
        )
    if situation.environment is None:
        known = ", ".join(situation.known_environments) or "none"
        return Verdict(
            Phase.PENDING,
            Reason.UNKNOWN_ENVIRONMENT,
            f"the catalogue has no environment {instance.env_type!r}; it has: {known}",
        )
    size = oversized_params(instance)
    if size is not None:
        return Verdict(
            Phase.PENDING,
            Reason.PARAMS_TOO_LARGE,
            f"spec.params has {size} bytes as JSON; at most {LARGEST_PARAMS} are allowed",
        )
    if situation.refusal is not None:
        return Verdict(Phase.PENDING, situation.refusal.reason, situation.refusal.message)
    return Verdict(Phase.PENDING, Reason.SCHEDULING, "the pod is being created")


def _judge_starting(situation: Situation, pod: Pod, state: PodState) -> Verdict:
    answer = situation.answer
    asked = answer is not None and answer.occasion == readiness_occasion(pod)
    if state.answers and asked and isinstance(answer, ServerSilence):
        return Verdict(
            Phase.STARTING,
            Reason.UNRESPONSIVE,
            f"the server runs and does not answer: {answer.error}",
        )
    if state.answers and asked and isinstance(answer, ServerReply):
        return Verdict(
            Phase.STARTING, state.reason, f"the server accepts no episodes: it is {answer.phase}"
        )
    return Verdict(Phase.STARTING, state.reason, state.message, changes_at=state.changes_at)


def _finished_task(situation: Situation, instance: TrainingInstance) -> TaskReport | None:
    answer = situation.answer
    if instance.task_id is None or not isinstance(answer, ServerReply) or answer.task is None:
        return None
    return answer.task if answer.task.is_finished else None


def _serving_message(pod: Pod) -> str:
    restarts = pod.container.restarts
    if not restarts:
        return "the server serves"
    times = "once" if restarts == 1 else f"{restarts} times"
    return f"the server serves; it was restarted {times}, see lastTermination"
