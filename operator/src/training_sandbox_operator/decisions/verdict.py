"""What is to be said about an instance: its phase and why."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from training_sandbox_operator.decisions.overrides import forbidden_override
from training_sandbox_operator.decisions.pod_spec import LARGEST_PARAMS, oversized_params
from training_sandbox_operator.decisions.pod_state import PodState, Stage, assess, ending_of
from training_sandbox_operator.decisions.tokens import TokenState, awaits_token, token_state
from training_sandbox_operator.model.bounded_spec import LARGEST_SPEC
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.reasons import Phase, Reason
from training_sandbox_operator.model.server import (
    ServerAnswer,
    ServerReply,
    ServerSilence,
    TaskRefusal,
    TaskReport,
)
from training_sandbox_operator.model.situation import Situation

# The API server tells in whole seconds when a pod was made.
_SOON_SCHEDULED = timedelta(seconds=2)


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
    if was_bound(instance) and is_claimed(instance, pod):
        if instance.status.get("incarnation") != pod.incarnation:
            return _task_lost(pod)
        # A server that is started again knows nothing of the task.
        pod = replace(pod, is_restarted=False)
    return _judge_pod(situation, instance, pod, now)


def _judge_pod(
    situation: Situation, instance: TrainingInstance, pod: Pod, now: datetime
) -> Verdict:
    state = assess(pod, now)
    if state.stage is Stage.SERVING and awaits_binding(instance, pod, situation.answer):
        return _judge_binding(situation, instance, pod)
    if state.stage is Stage.SERVING and awaits_token(situation, instance, pod):
        return _judge_token(situation, instance, pod)
    match state.stage:
        case Stage.LOST:
            return Verdict(Phase.FAILED, state.reason, state.message)
        case Stage.WAITING:
            soon = _soon_scheduled(pod, now) if state.reason == Reason.SCHEDULING else None
            return Verdict(Phase.PENDING, state.reason, state.message, changes_at=soon)
        case Stage.SERVING:
            return Verdict(Phase.READY, state.reason, _serving_message(pod))
        case Stage.STARTING:
            return _judge_starting(situation, pod, state)


def _soon_scheduled(pod: Pod, now: datetime) -> datetime | None:
    """Return until when a scheduler that works will have found a node; None afterwards.

    Also when the pod is of the future: then the clock that this goes by is wrong.
    """
    if pod.created_at is None or not timedelta(0) <= now - pod.created_at < _SOON_SCHEDULED:
        return None
    return pod.created_at + _SOON_SCHEDULED


def readiness_occasion(pod: Pod) -> str:
    """Return a mark of the pod's present spell of readiness, or of the lack of it."""
    return f"readiness since {pod.readiness_changed_at}"


def starts_cold(situation: Situation, instance: TrainingInstance) -> bool:
    """Return whether the instance starts a pod of its own since its pool has none for it."""
    return (
        situation.pool is not None
        and not situation.pool.is_being_deleted
        and situation.pool.env_type == instance.env_type
        and situation.pool_was_empty
        and situation.promised is None
        and instance.may_start_cold
    )


def binding_occasion(pod: Pod) -> str:
    """Return a mark of the pod's present server, which is to be told of the task."""
    return f"binding in {pod.incarnation}"


def is_claimed(instance: TrainingInstance, pod: Pod) -> bool:
    """Return whether the instance has taken its pod from a pool, where it was nobody's."""
    return instance.pool_name is not None and bool(pod.template)


def was_bound(instance: TrainingInstance) -> bool:
    """Return whether the instance was told to be ready to play its task."""
    return instance.task_id is not None and instance.ready_at is not None


def awaits_binding(instance: TrainingInstance, pod: Pod, answer: ServerAnswer | None) -> bool:
    """Return whether the server of a claimed pod does not play the instance's task yet."""
    if instance.task_id is None or was_bound(instance) or not is_claimed(instance, pod):
        return False
    return not (isinstance(answer, ServerReply) and answer.occasion == binding_occasion(pod))


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
            f"pod {instance.status.get('podName', instance.pod_name)} is gone, "
            "and its episodes with it",
        )
    if instance.pool_name is not None and not starts_cold(situation, instance):
        return _judge_claim(situation, instance, instance.pool_name)
    reason, message = _hindrance(situation, instance)
    return Verdict(Phase.PENDING, reason, message)


def _hindrance(situation: Situation, instance: TrainingInstance) -> tuple[str, str]:
    """Return why the instance has no pod of its own yet."""
    if situation.environment is None:
        known = ", ".join(situation.known_environments) or "none"
        message = f"the catalogue has no environment {instance.env_type!r}; it has: {known}"
        return Reason.UNKNOWN_ENVIRONMENT, message
    if instance.oversize is not None:
        return Reason.PARAMS_TOO_LARGE, _too_large(instance)
    template = instance if situation.pool is None else situation.pool
    forbidden = forbidden_override(template, situation.environment, situation.allowed)
    if forbidden is not None:
        whose = f"of the pool {instance.pool_name!r}: " if instance.pool_name is not None else ""
        return Reason.OVERRIDE_NOT_ALLOWED, whose + forbidden
    size = oversized_params(instance)
    if size is not None:
        message = f"spec.params has {size} bytes as JSON; at most {LARGEST_PARAMS} are allowed"
        return Reason.PARAMS_TOO_LARGE, message
    if situation.refusal is not None:
        return situation.refusal.reason, situation.refusal.message
    return Reason.SCHEDULING, "the pod is being created"


def _judge_claim(situation: Situation, instance: TrainingInstance, pool_name: str) -> Verdict:
    pool = situation.pool
    if pool is None or pool.is_being_deleted:
        return Verdict(
            Phase.PENDING,
            Reason.POOL_NOT_FOUND,
            f"there is no TrainingPool {pool_name!r} in the namespace {instance.key.namespace}",
        )
    if pool.env_type != instance.env_type:
        return Verdict(
            Phase.PENDING,
            Reason.POOL_OF_OTHER_ENVIRONMENT,
            f"spec.envType is {instance.env_type!r}; the pool {pool_name!r} has pods of "
            f"{pool.env_type!r} only",
        )
    if instance.oversize is not None:
        return Verdict(Phase.PENDING, Reason.PARAMS_TOO_LARGE, _too_large(instance))
    if situation.refusal is not None:
        return Verdict(Phase.PENDING, situation.refusal.reason, situation.refusal.message)
    return Verdict(
        Phase.PENDING,
        Reason.WAITING_FOR_POOL,
        f"the pool {pool_name!r} has no warm pod that is ready and not promised to another",
    )


def _task_lost(pod: Pod) -> Verdict:
    termination = pod.container.termination
    if termination is None:
        return Verdict(Phase.FAILED, Reason.SERVER_EXITED, "the server was restarted")
    ending = ending_of(termination)
    return Verdict(
        Phase.FAILED,
        ending.reason,
        f"the server ended, and its task with it: {ending.describe(termination)}",
    )


def _too_large(instance: TrainingInstance) -> str:
    return f"spec has {instance.oversize} bytes as JSON; at most {LARGEST_SPEC} are allowed"


def _judge_binding(situation: Situation, instance: TrainingInstance, pod: Pod) -> Verdict:
    if instance.oversize is not None:
        # Its params are not known: it would play another task.
        return Verdict(Phase.FAILED, Reason.PARAMS_TOO_LARGE, _too_large(instance))
    answer = situation.answer
    if answer is None or answer.occasion != binding_occasion(pod):
        return Verdict(Phase.STARTING, Reason.TASK_NOT_OPENED, "the server is told of the task")
    if isinstance(answer, TaskRefusal):
        return Verdict(Phase.FAILED, answer.reason, answer.message)
    error = answer.error if isinstance(answer, ServerSilence) else "it answered nothing"
    return Verdict(
        Phase.STARTING, Reason.TASK_NOT_OPENED, f"the server was not told of the task: {error}"
    )


def _judge_token(situation: Situation, instance: TrainingInstance, pod: Pod) -> Verdict:
    if token_state(situation, instance, pod) is TokenState.UNOBTAINABLE:
        return Verdict(
            Phase.STARTING,
            Reason.SIGNING_KEY_LOST,
            "the server checks tokens by a key that the operator does not have any more, so nobody "
            "can be given one; delete the instance, or put the former signing key back and start "
            "the operator again",
        )
    refusal = situation.token_refusal
    if refusal is not None:
        return Verdict(Phase.STARTING, refusal.reason, refusal.message)
    return Verdict(Phase.STARTING, Reason.TOKEN_NOT_WRITTEN, "the token is being written")


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
