"""What the state of a pod means for its instance."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, cast

from training_sandbox_operator.model.pod import Pod, Termination
from training_sandbox_operator.model.reasons import Reason

CRASH_LOOP_RESTARTS = 3

_IMAGE_PULL_REASONS = frozenset(
    {
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_CONTAINER_REFUSED_REASONS = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "CreatePodSandboxError",
        "RunContainerError",
    }
)
# https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
_NODE_LOST_DISRUPTIONS = frozenset({"DeletionByTaintManager", "DeletionByPodGC"})
_CONDITION_REASON = re.compile(r"[A-Za-z]([A-Za-z0-9_]{0,62}[A-Za-z0-9])?")
_LONGEST_MESSAGE = 1024


class Stage(Enum):
    """How far a pod has come."""

    WAITING = auto()
    """The server has not run yet."""
    STARTING = auto()
    """The server runs, or is restarted, and does not serve."""
    SERVING = auto()
    """The server serves."""
    LOST = auto()
    """The server will not come back."""


@dataclass(frozen=True, slots=True)
class PodState:
    """The meaning of a pod's state.

    Attributes:
        answers: the server has come up in this incarnation, so it can be asked what it does.
        changes_at: when the meaning changes although the pod does not.
    """

    stage: Stage
    reason: str
    message: str
    answers: bool = False
    changes_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a container ended, with the reason that the server itself gave, if it did."""

    reason: str
    message: str

    def describe(self, termination: Termination) -> str:
        """Return one sentence with exit code, reason and what was left to say."""
        facts = f"exit code {termination.exit_code}, {self.reason}"
        return f"{facts}: {self.message}" if self.message else facts


def ending_of(termination: Termination) -> Ending:
    """Return why a container ended.

    The server leaves one line of JSON ``{"reason": …, "message": …}`` in the termination log; for
    anything else that ended it, the end of its log is all there is.
    """
    if termination.reason == Reason.OOM_KILLED:
        return Ending(Reason.OOM_KILLED, "the container exceeded its memory limit")
    text = termination.message.strip()
    try:
        report: Any = json.loads(text)
    except ValueError:
        return Ending(Reason.SERVER_EXITED, text[-_LONGEST_MESSAGE:])
    if not isinstance(report, dict):
        return Ending(Reason.SERVER_EXITED, text[-_LONGEST_MESSAGE:])
    fields = cast("dict[str, Any]", report)
    reason = fields.get("reason")
    if not isinstance(reason, str) or not _CONDITION_REASON.fullmatch(reason):
        reason = Reason.SERVER_EXITED
    return Ending(reason, str(fields.get("message", ""))[:_LONGEST_MESSAGE])


def assess(pod: Pod, now: datetime) -> PodState:
    """Return what the state of a pod means."""
    if pod.terminates_at is not None or pod.phase in {"Failed", "Succeeded"}:
        return _assess_ended(pod)
    container = pod.container
    if container.running_since is not None:
        return _assess_running(pod, container.running_since, now)
    if container.termination is None:
        return _assess_waiting(pod)
    if not pod.is_restarted:
        return _assess_ended(pod)
    return _assess_down(pod, container.termination)


def _assess_ended(pod: Pod) -> PodState:
    where = f"pod {pod.key.name}"
    if pod.disruption is not None:
        cause, message = pod.disruption
        lost = cause in _NODE_LOST_DISRUPTIONS
        return _lost(Reason.NODE_LOST if lost else Reason.EVICTED, f"{where}: {message or cause}")
    if pod.reason in {Reason.EVICTED, Reason.NODE_LOST}:
        return _lost(pod.reason, f"{where}: {pod.message}")
    if pod.terminates_at is not None:
        return _lost(Reason.POD_DELETED, f"{where} was deleted while its instance was alive")
    if pod.container.termination is not None:
        ending = ending_of(pod.container.termination)
        return _lost(
            ending.reason, f"the server ended: {ending.describe(pod.container.termination)}"
        )
    return _lost(_reason_of_kubelet(pod.reason), f"{where} {pod.phase}: {pod.message}")


def _reason_of_kubelet(reason: str) -> str:
    """Return a reason that a condition may have: ``OutOfnvidia.com/gpu`` is none."""
    fitting = re.sub("[^A-Za-z0-9]", "_", reason)
    return fitting if _CONDITION_REASON.fullmatch(fitting) else Reason.SERVER_EXITED


def _assess_running(pod: Pod, since: datetime, now: datetime) -> PodState:
    if pod.is_ready and pod.ip:
        return PodState(Stage.SERVING, Reason.SERVER_READY, "the server serves", answers=True)
    answers = pod.container.has_started and bool(pod.ip)
    late_at = since + pod.startup
    if not pod.has_served and now < late_at:
        return PodState(
            Stage.STARTING,
            Reason.BOOTING,
            f"the server boots{_after(pod)}",
            answers=answers,
            changes_at=late_at,
        )
    if pod.container.has_started:
        return PodState(
            Stage.STARTING,
            Reason.SERVER_NOT_READY,
            "the server runs and accepts no episodes",
            answers=answers,
        )
    return PodState(
        Stage.STARTING,
        Reason.UNRESPONSIVE,
        f"the server has not booted within {pod.startup.total_seconds():.0f} s{_after(pod)}; "
        "the kubelet ends it",
    )


def _assess_down(pod: Pod, termination: Termination) -> PodState:
    """Assess a container that has ended and is started again, at once or after a back-off."""
    ending = ending_of(termination)
    story = ending.describe(termination)
    restarts = pod.container.restarts
    if pod.container.waiting_reason == "CrashLoopBackOff" and restarts >= CRASH_LOOP_RESTARTS:
        return _lost(
            Reason.CRASH_LOOP, f"the server ended again after {restarts} restarts: {story}"
        )
    return PodState(
        Stage.STARTING, Reason.RESTARTING, f"the server ended and is being restarted: {story}"
    )


def _assess_waiting(pod: Pod) -> PodState:
    container = pod.container
    if not pod.node_name:
        if pod.unschedulable is not None:
            return _waiting(Reason.UNSCHEDULABLE, pod.unschedulable)
        return _waiting(Reason.SCHEDULING, "the pod waits for a node")
    if container.waiting_reason in _IMAGE_PULL_REASONS:
        return _waiting(
            Reason.IMAGE_PULL_FAILED, container.waiting_message or container.waiting_reason
        )
    if container.waiting_reason in _CONTAINER_REFUSED_REASONS:
        return _waiting(
            Reason.CONTAINER_REFUSED, container.waiting_message or container.waiting_reason
        )
    return _waiting(
        Reason.CREATING_CONTAINER, f"node {pod.node_name} gets the image and makes the container"
    )


def _after(pod: Pod) -> str:
    if pod.container.termination is None:
        return ""
    story = ending_of(pod.container.termination).describe(pod.container.termination)
    return f" again after it ended ({story})"


def _waiting(reason: Reason, message: str) -> PodState:
    return PodState(Stage.WAITING, reason, message)


def _lost(reason: str, message: str) -> PodState:
    return PodState(Stage.LOST, reason, message)
