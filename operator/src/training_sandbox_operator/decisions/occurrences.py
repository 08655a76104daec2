"""The events that tell people of a change of status."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from training_sandbox_operator.decisions.actions import EmitEvent
from training_sandbox_operator.decisions.status import Status
from training_sandbox_operator.decisions.verdict import Verdict
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.reasons import Occurrence, Phase, Reason

_WORTH_A_WARNING = frozenset(
    {
        Reason.UNKNOWN_ENVIRONMENT,
        Reason.PARAMS_TOO_LARGE,
        Reason.POD_REJECTED,
        Reason.POD_NAME_CONFLICT,
        Reason.UNSCHEDULABLE,
        Reason.IMAGE_PULL_FAILED,
        Reason.CONTAINER_REFUSED,
        Reason.UNRESPONSIVE,
        Reason.TOKEN_REJECTED,
        Reason.TOKEN_SECRET_CONFLICT,
        Reason.SIGNING_KEY_LOST,
    }
)


def events_of_change(
    instance: TrainingInstance, verdict: Verdict, after: Status
) -> Iterator[EmitEvent]:
    """Yield an event for everything in the new status that a person would want to be told."""
    before = instance.status

    def event(
        kind: Literal["Normal", "Warning"], reason: str, message: str, about: str = ""
    ) -> EmitEvent:
        return EmitEvent(instance, kind, str(reason), message, about)

    has_got_pod = "podUID" in after and "podUID" not in before
    is_claimed = instance.pool_name is not None and after.get("podName") != instance.pod_name
    if has_got_pod and not is_claimed:
        yield event("Normal", Occurrence.POD_CREATED, f"created pod {after['podName']}")
    if has_got_pod and is_claimed and verdict.phase is not Phase.READY:
        claim = f"claimed pod {after['podName']} of pool {instance.pool_name}"
        yield event("Normal", Occurrence.POD_CLAIMED, claim)
    if after.get("restarts", 0) > before.get("restarts", 0):
        yield event(
            "Warning",
            Occurrence.SERVER_RESTARTED,
            f"the server ended ({_ending(after)}) and was restarted; the episodes of its "
            f"incarnation {before.get('incarnation', '')} are lost",
            about=str(after["restarts"]),
        )
    if verdict.reason == _ready_reason(before):
        return
    if verdict.phase is Phase.FAILED or verdict.reason in _WORTH_A_WARNING:
        yield event("Warning", verdict.reason, verdict.message)
    elif verdict.phase is Phase.FINISHED:
        yield event("Normal", verdict.reason, verdict.message)
    elif verdict.phase is Phase.READY and not (has_got_pod and is_claimed):
        # A claim that went as it should is told by the status alone: there may be many a second.
        yield event(
            "Normal",
            verdict.reason,
            f"the server serves at {after['endpoint']}",
            about=after["incarnation"],
        )


def _ready_reason(status: Mapping[str, Any]) -> str | None:
    for condition in status.get("conditions") or ():
        if condition["type"] == "Ready":
            return condition["reason"]
    return None


def _ending(status: Mapping[str, Any]) -> str:
    termination: Mapping[str, Any] = status.get("lastTermination") or {}
    return f"exit code {termination.get('exitCode', 'unknown')}, {termination.get('reason', '')}"
