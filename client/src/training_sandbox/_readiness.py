"""Waiting until an instance serves, and telling why it does not or no longer does."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio

from training_sandbox._exceptions import (
    ClusterUnavailable,
    InstanceLost,
    InstanceNotReady,
    TrainingSandboxError,
)
from training_sandbox._patience import pause_after
from training_sandbox._reasons import callers_fault

if TYPE_CHECKING:
    from training_sandbox._cluster import Cluster
    from training_sandbox._manifest import Instance
    from training_sandbox._progress import Wait

LOG_LINES = 20
RECONNECT_SECONDS = 1.0


def is_ready(instance: Instance) -> bool:
    """Whether the instance serves and says where."""
    return instance.condition("Ready").status == "True" and bool(instance.endpoint)


def why_never_ready(instance: Instance) -> TrainingSandboxError | None:
    """Return why an instance that is not ready will not become so; None while it may."""
    ready = instance.condition("Ready")
    if fault := callers_fault(ready.reason, ready.message):
        return fault
    if instance.phase == "Failed":
        return InstanceNotReady(
            f"instance {instance.name} failed: {ready.reason}: {ready.message}",
            reason=ready.reason,
        )
    return why_gone(instance.name, instance)


def why_gone(name: str, instance: Instance | None) -> InstanceLost | None:
    """Return why an instance that was ready no longer is; None when it should answer."""
    if instance is None or instance.deleting:
        return InstanceLost(
            f"instance {name} was deleted: by someone, or at the end of its idle timeout or "
            "longest life",
            reason="Deleted",
        )
    if instance.phase in ("Failed", "Finished"):
        kind = "Finished" if instance.phase == "Finished" else "Ready"
        cause = instance.condition(kind)
        return InstanceLost(
            f"instance {name} is {instance.phase}: {cause.reason}: {cause.message}",
            reason=cause.reason or instance.phase,
        )
    return None


async def wait_until_ready(cluster: Cluster, instance: Instance, wait: Wait) -> Instance:
    """Return the instance as it is when it serves.

    Raises:
        InstanceNotReady: it failed, or did not serve in time; with the pod's last log lines.
        InstanceLost: it was deleted meanwhile.
        InvalidRequest: the cluster has no such environment or task.
        ClusterUnavailable: the API was away when the time was up.
    """
    latest, trouble = instance, None
    with wait.progress() as progress:
        try:
            with anyio.fail_after(wait.seconds):
                while not is_ready(latest):
                    if failure := why_never_ready(latest):
                        raise failure
                    progress.say(f"instance {latest.namespace}/{latest.name}: {describe(latest)}")
                    try:
                        latest, trouble = await _next_state(cluster, latest), None
                    except ClusterUnavailable as error:
                        trouble = error
                        await anyio.sleep(pause_after(error, RECONNECT_SECONDS))
        except TimeoutError as error:
            if trouble:
                raise _unseen(latest, wait, trouble) from trouble
            raise await _with_log(cluster, latest, _too_late(latest, wait)) from error
        except InstanceNotReady as failure:
            raise await _with_log(cluster, latest, failure) from None
    return latest


def describe(instance: Instance) -> str:
    """Return phase and reason in a few words."""
    reason = instance.condition("Ready").reason
    phase = instance.phase or "Pending"
    return f"{phase}: {reason}" if reason and reason != phase else phase


def _too_late(latest: Instance, wait: Wait) -> InstanceNotReady:
    ready = latest.condition("Ready")
    return InstanceNotReady(
        f"instance {latest.name} was not ready within {wait.seconds:g} s ({describe(latest)}): "
        f"{ready.message or 'no operator has taken it up'}",
        reason=ready.reason or "NoOperator",
    )


def _unseen(latest: Instance, wait: Wait, trouble: ClusterUnavailable) -> ClusterUnavailable:
    return ClusterUnavailable(
        f"instance {latest.name} was not seen to be ready within {wait.seconds:g} s "
        f"(last {describe(latest)}): {trouble}",
        passing=trouble.passing,
        retry_after=trouble.retry_after,
    )


async def _next_state(cluster: Cluster, instance: Instance) -> Instance:
    """Return what comes after a state, or when the watch has ended what is there."""
    try:
        async with aclosing(cluster.changes(instance)) as changes:
            async for changed in changes:
                if changed is None:
                    break
                return changed
    except ClusterUnavailable as error:
        await anyio.sleep(pause_after(error, RECONNECT_SECONDS))
    current = await cluster.find(instance.name)
    if current is None or current.uid != instance.uid:
        raise InstanceLost(f"instance {instance.name} was deleted meanwhile", reason="Deleted")
    return current


async def _with_log(
    cluster: Cluster, instance: Instance, failure: InstanceNotReady
) -> InstanceNotReady:
    """Add the last lines of the pod's log, where there are any."""
    if not instance.pod_name:
        return failure
    try:
        async with aclosing(cluster.pod_log(instance.pod_name, LOG_LINES)) as lines:
            log = "\n".join([line async for line in lines])
    except TrainingSandboxError:
        log = ""
    if not log:
        return failure
    return InstanceNotReady(
        f"{failure}\nThe last lines of pod {instance.pod_name}:\n{log}",
        reason=failure.reason,
        log=log,
    )
