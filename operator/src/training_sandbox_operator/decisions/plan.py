"""The decision: what to do about one instance now, and when to look again.

``plan`` is level-based. It sees only what is, not what has happened, so a missed event, a crash of
the operator or a write whose answer was lost changes nothing: the next plan is made from what is
there. Once its actions have had their effect it plans nothing more until the deadline.
"""

from datetime import datetime

from training_sandbox_operator.decisions.actions import (
    Action,
    AskServer,
    BindTask,
    ClaimPod,
    CreatePod,
    DeleteInstance,
    DeletePod,
    EmitEvent,
    Plan,
    WriteStatus,
)
from training_sandbox_operator.decisions.forced_ends import plan_forced_ends
from training_sandbox_operator.decisions.occurrences import events_of_change
from training_sandbox_operator.decisions.pod_spec import build_pod
from training_sandbox_operator.decisions.questions import (
    IDLE_OCCASION,
    Question,
    fresh_until,
    is_idle,
    next_question,
)
from training_sandbox_operator.decisions.status import (
    build_status,
    endpoint_of,
    renew_terminal_status,
)
from training_sandbox_operator.decisions.tokens import (
    TokenState,
    audience_of,
    plan_token,
    token_state,
)
from training_sandbox_operator.decisions.verdict import (
    Verdict,
    binding_occasion,
    judge,
    starts_cold,
)
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.reasons import Occurrence, Phase, Reason
from training_sandbox_operator.model.server import ServerSilence
from training_sandbox_operator.model.situation import Situation

_SILENCES_WORTH_A_WARNING = 3
_UNPLAYABLE = frozenset(
    {Reason.UNKNOWN_ENVIRONMENT, Reason.PARAMS_TOO_LARGE, Reason.OVERRIDE_NOT_ALLOWED}
)


def plan(situation: Situation, now: datetime) -> Plan:
    """Return what is to be done about an instance and its pods."""
    leftovers = _plan_leftovers(situation, now)
    instance = situation.instance
    if instance is None:
        return leftovers
    if instance.is_being_deleted:
        own = _plan_farewell(situation)
    elif instance.is_terminal:
        own = _plan_terminal(situation, instance, now)
    else:
        own = _plan_living(situation, instance, now)
    return Plan(leftovers.actions + own.actions, _earliest(leftovers.deadline, own.deadline))


def _plan_farewell(situation: Situation) -> Plan:
    """End the pod: the instance itself stays for as long as somebody's finalizer does."""
    pod = situation.pod
    if pod is None or pod.terminates_at is not None:
        return Plan()
    return Plan((DeletePod(pod.key, pod.uid),))


def _plan_leftovers(situation: Situation, now: datetime) -> Plan:
    """End the pods that are not the instance's, or not any more, with and without it.

    The end of those whose node does not confirm it is forced.
    """
    strays = tuple(
        DeletePod(pod.key, pod.uid) for pod in situation.strays if pod.terminates_at is None
    )
    forced = plan_forced_ends(situation.pods, now)
    return Plan(strays + forced.actions, forced.deadline)


def _plan_terminal(situation: Situation, instance: TrainingInstance, now: datetime) -> Plan:
    failed = instance.phase is Phase.FAILED
    expires_at = instance.expires_at(instance.finished_at, failed=failed)
    if now >= expires_at:
        return _delete(
            instance, Occurrence.COLLECTED, f"deleted after it was {instance.phase}, as specified"
        )
    actions: list[Action] = []
    status = renew_terminal_status(instance)
    if status != instance.status:
        actions.append(WriteStatus(instance, status))
    pod = situation.pod
    if failed and pod is not None and pod.terminates_at is None and not instance.retains_failed:
        actions.append(DeletePod(pod.key, pod.uid))
    if failed or pod is None:
        return Plan(tuple(actions), expires_at)
    # What is finished stays to be read.
    token = plan_token(situation, instance, pod, now)
    return Plan((*actions, *token.actions), _earliest(expires_at, token.deadline))


def _plan_living(situation: Situation, instance: TrainingInstance, now: datetime) -> Plan:
    expires_at = instance.expires_at(None, failed=False)
    if now >= expires_at:
        return _delete(instance, Occurrence.TTL_EXPIRED, "deleted: it has lived for its ttlSeconds")
    verdict = judge(situation, instance, now)
    deadline = _earliest(expires_at, verdict.changes_at)
    pod = situation.pod
    if pod is None:
        own = _plan_pod(situation, instance, verdict, now)
    else:
        own = _plan_with_pod(situation, instance, pod, verdict, now)
        if not verdict.phase.is_terminal:
            token = plan_token(situation, instance, pod, now)
            own = Plan(token.actions + own.actions, _earliest(token.deadline, own.deadline))
    return Plan(own.actions, _earliest(deadline, own.deadline))


def _plan_pod(
    situation: Situation, instance: TrainingInstance, verdict: Verdict, now: datetime
) -> Plan:
    if instance.pool_name is not None and not starts_cold(situation, instance):
        return _plan_claim(situation, instance, verdict, now)
    environment = situation.environment
    if environment is None or verdict.phase is Phase.FAILED or verdict.reason in _UNPLAYABLE:
        return Plan(_write_status(situation, instance, verdict, now))
    create = CreatePod(
        instance, build_pod(instance, environment, situation.pool, situation.public_key)
    )
    return _plan_unless_refused(create, situation, instance, verdict, now)


def _plan_claim(
    situation: Situation, instance: TrainingInstance, verdict: Verdict, now: datetime
) -> Plan:
    promised = situation.promised
    if promised is None:
        if verdict.reason == Reason.WAITING_FOR_POOL and not situation.pool_was_empty:
            # The pool is about to be looked at; its answer comes back here.
            return Plan()
        return Plan(_write_status(situation, instance, verdict, now))
    if verdict.phase is Phase.FAILED or verdict.reason in _UNPLAYABLE:
        return Plan(_write_status(situation, instance, verdict, now))
    claim = ClaimPod(instance, promised)
    return _plan_unless_refused(claim, situation, instance, verdict, now)


def _plan_unless_refused(
    action: CreatePod | ClaimPod,
    situation: Situation,
    instance: TrainingInstance,
    verdict: Verdict,
    now: datetime,
) -> Plan:
    """Have the instance get its pod, which is tried again later when it was refused."""
    refusal = situation.refusal
    if refusal is None:
        # The status is written once the pod is there: one write less for every instance.
        return Plan((action,))
    status = _write_status(situation, instance, verdict, now)
    if now < refusal.retry_at:
        return Plan(status, refusal.retry_at)
    return Plan((*status, action))


def _plan_binding(
    situation: Situation,
    instance: TrainingInstance,
    pod: Pod,
    verdict: Verdict,
    now: datetime,
) -> Plan:
    occasion = binding_occasion(pod)
    bind = BindTask(
        instance,
        pod.uid,
        endpoint_of(pod),
        pod.incarnation or "",
        occasion,
        audience_of(pod),
    )
    answer = situation.answer
    if answer is None or answer.occasion != occasion:
        # The status is written once the answer is there: one write less for every instance.
        return Plan((bind,))
    status = _write_status(situation, instance, verdict, now)
    if not isinstance(answer, ServerSilence):
        return Plan(status)
    if now < answer.retry_at:
        return Plan(status, answer.retry_at)
    return Plan((*status, bind))


def _plan_with_pod(
    situation: Situation,
    instance: TrainingInstance,
    pod: Pod,
    verdict: Verdict,
    now: datetime,
) -> Plan:
    was_and_is_ready = instance.phase is verdict.phase is Phase.READY
    answer = situation.answer
    if was_and_is_ready and answer is not None and is_idle(instance, answer, now):
        seconds = instance.idle_timeout.total_seconds()
        message = f"deleted: no episode was called for {seconds:.0f} s"
        return _delete(instance, Occurrence.IDLE_TIMEOUT, message, fresh_until(answer))
    if verdict.reason == Reason.TASK_NOT_OPENED:
        return _plan_binding(situation, instance, pod, verdict, now)
    question = next_question(situation, instance, pod, verdict, now)
    if question is None:
        return Plan(_write_status(situation, instance, verdict, now))
    if now < question.due_at:
        return Plan(_write_status(situation, instance, verdict, now), question.due_at)
    ask = AskServer(
        instance.key,
        instance.uid,
        pod.uid,
        endpoint_of(pod),
        question.occasion,
        audience_of(pod),
    )
    if _may_have_finished(situation, instance, verdict, question):
        return Plan((ask,))
    warning = _warn_of_silence(situation, instance, pod, question)
    return Plan((*_write_status(situation, instance, verdict, now), ask, *warning))


def _may_have_finished(
    situation: Situation, instance: TrainingInstance, verdict: Verdict, question: Question
) -> bool:
    """Return whether the answer that is awaited will tell why a bound task's server is unready.

    Until it does, the status stays as it is: Ready becomes Finished, not first something else.
    """
    first = situation.answer is None or situation.answer.occasion != question.occasion
    became_unready = instance.phase is Phase.READY and verdict.phase is Phase.STARTING
    return instance.task_id is not None and became_unready and first


def _warn_of_silence(
    situation: Situation, instance: TrainingInstance, pod: Pod, question: Question
) -> tuple[Action, ...]:
    silence = situation.answer
    if question.occasion != IDLE_OCCASION or not isinstance(silence, ServerSilence):
        return ()
    if silence.failures < _SILENCES_WORTH_A_WARNING:
        return ()
    message = (
        f"the server cannot be asked whether it is idle ({silence.error}); the instance is kept "
        "until ttlSeconds"
    )
    about = pod.incarnation or ""
    return (EmitEvent(instance, "Warning", Occurrence.IDLE_UNKNOWN, message, about),)


def _write_status(
    situation: Situation, instance: TrainingInstance, verdict: Verdict, now: datetime
) -> tuple[Action, ...]:
    """Return the write and the events that tell of it, nothing when the status is right."""
    if verdict.reason == Reason.TOKEN_NOT_WRITTEN:
        # It is written once the Secret is there: one write less for every instance.
        return ()
    if not instance.status and verdict.reason == Reason.SCHEDULING and verdict.changes_at:
        # It is written once the pod has a node, which is soon: one write less for every instance.
        return ()
    pod = situation.pod
    has_token = pod is not None and token_state(situation, instance, pod) is TokenState.WRITTEN
    status = build_status(instance, pod, verdict, situation.answer, now, has_token=has_token)
    if status == instance.status:
        return ()
    return (WriteStatus(instance, status), *events_of_change(instance, verdict, status))


def _delete(
    instance: TrainingInstance,
    reason: Occurrence,
    message: str,
    wanted_until: datetime | None = None,
) -> Plan:
    event = EmitEvent(instance, "Normal", reason, message)
    return Plan((DeleteInstance(instance, wanted_until), event))


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)
