"""The decision when the end of a pod is forced: its node does not say that it has ended."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from training_sandbox_operator.decisions.actions import DeletePod, Plan
from training_sandbox_operator.model.pod import Pod

# A kubelet that lives confirms the end of a pod within its grace period and a moment.
_CONFIRMATION = timedelta(seconds=30)


def plan_forced_ends(pods: Iterable[Pod], now: datetime) -> Plan:
    """Return what is to be done about those of the pods that are ending."""
    ending = [(pod, pod.terminates_at + _CONFIRMATION) for pod in pods if pod.terminates_at]
    overdue = (DeletePod(pod.key, pod.uid, force=True) for pod, at in ending if now >= at)
    return Plan(tuple(overdue), min((at for _, at in ending if now < at), default=None))
