"""The status of an instance, built so that the same input gives an equal status."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from training_sandbox_operator.decisions.conditions import renew_condition
from training_sandbox_operator.decisions.pod_state import ending_of
from training_sandbox_operator.decisions.verdict import Verdict
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import PORT, token_secret_name
from training_sandbox_operator.model.pod import Pod, Termination
from training_sandbox_operator.model.reasons import Phase, Reason
from training_sandbox_operator.model.server import ServerAnswer, ServerReply, TaskReport
from training_sandbox_operator.model.timestamps import format_timestamp

Status = dict[str, Any]


def endpoint_of(pod: Pod) -> str:
    """Return the URL of the server in a pod that has an address."""
    host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
    return f"http://{host}:{PORT}"


def build_status(
    instance: TrainingInstance,
    pod: Pod | None,
    verdict: Verdict,
    answer: ServerAnswer | None,
    now: datetime,
    *,
    has_token: bool = False,
) -> Status:
    """Return the status that the verdict and the pod make; absent values are left out.

    What was once seen of the pod (its name, node, last termination) stays when the pod is gone.
    """
    before = instance.status
    status: Status = {
        **{name: before[name] for name in _REMEMBERED if name in before},
        **(_seen_of(pod) if pod is not None else {}),
        "phase": verdict.phase.value,
        "observedGeneration": instance.generation,
    }
    if verdict.phase is Phase.FAILED or (pod is not None and not pod.ip):
        status.pop("endpoint", None)
    if before.get("incarnation") != status.get("incarnation"):
        status.pop("tokenSecret", None)
    if has_token and verdict.phase is Phase.READY:
        status["tokenSecret"] = token_secret_name(instance.key.name)
    if isinstance(answer, ServerReply):
        status["slots"] = {"total": answer.slots_total, "used": answer.slots_used}
    if verdict.task is not None:
        status["task"] = _task(verdict.task)
    if verdict.phase is Phase.READY:
        status.setdefault("readyAt", format_timestamp(now))
    finished_at = None
    if verdict.phase.is_terminal:
        finished_at = now
        status["finishedAt"] = format_timestamp(now)
    status["expiresAt"] = format_timestamp(
        instance.expires_at(finished_at, failed=verdict.phase is Phase.FAILED)
    )
    status["conditions"] = _conditions(instance, verdict, now)
    return status


def renew_terminal_status(instance: TrainingInstance) -> Status:
    """Return the status of a terminal instance: as it was, but for what spec changes move."""
    expires_at = instance.expires_at(instance.finished_at, failed=instance.phase is Phase.FAILED)
    return {
        **instance.status,
        "observedGeneration": instance.generation,
        "expiresAt": format_timestamp(expires_at),
    }


_REMEMBERED = (
    "podName",
    "podUID",
    "nodeName",
    "incarnation",
    "endpoint",
    "tokenSecret",
    "slots",
    "readyAt",
    "restarts",
    "lastTermination",
)


def _seen_of(pod: Pod) -> Status:
    termination = pod.container.termination
    seen: Status = {
        "podName": pod.key.name,
        "podUID": pod.uid,
        "nodeName": pod.node_name or None,
        "incarnation": pod.incarnation,
        "endpoint": endpoint_of(pod) if pod.ip and pod.incarnation else None,
        "restarts": pod.container.restarts or None,
        "lastTermination": _last_termination(termination) if termination else None,
    }
    return {name: value for name, value in seen.items() if value is not None}


def _last_termination(termination: Termination) -> Status:
    ending = ending_of(termination)
    described: Status = {"reason": str(ending.reason), "exitCode": termination.exit_code}
    if ending.message:
        described["message"] = ending.message
    if termination.finished_at is not None:
        described["finishedAt"] = format_timestamp(termination.finished_at)
    return described


def _task(task: TaskReport) -> Status:
    described: Status = {"state": task.state, "steps": task.steps}
    if task.reward is not None:
        described["reward"] = task.reward
    return described


def _conditions(instance: TrainingInstance, verdict: Verdict, now: datetime) -> list[Status]:
    message = verdict.message
    before = _condition(instance, "Ready")
    if verdict.reason == Reason.IMAGE_PULL_FAILED == before.get("reason"):
        # The kubelet alternates between two wordings for as long as it tries.
        message = before.get("message", message)
    conditions = [
        renew_condition(
            before,
            kind="Ready",
            is_true=verdict.phase is Phase.READY,
            reason=verdict.reason,
            message=message,
            now=now,
        )
    ]
    if instance.task_id is not None:
        is_over = verdict.phase.is_terminal
        conditions.append(
            renew_condition(
                _condition(instance, "Finished"),
                kind="Finished",
                is_true=verdict.phase is Phase.FINISHED,
                reason=verdict.reason if is_over else Reason.TASK_RUNNING,
                message=message if is_over else "the task has not ended",
                now=now,
            )
        )
    return conditions


def _condition(instance: TrainingInstance, kind: str) -> Mapping[str, Any]:
    for condition in instance.status.get("conditions") or ():
        if condition["type"] == kind:
            return condition
    return {}
