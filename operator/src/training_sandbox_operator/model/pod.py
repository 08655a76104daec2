"""What the operator remembers of a pod: a small part of it, for there may be thousands."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from training_sandbox_operator.model.names import (
    CONTAINER,
    KIND,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    POOL_KIND,
    PUBLIC_KEY_VARIABLE,
    TEMPLATE_LABEL,
    JsonObject,
    Key,
)
from training_sandbox_operator.model.timestamps import parse_timestamp

_DEFAULT_STARTUP = timedelta(seconds=180)
_NOTHING: JsonObject = {}


class Owner(NamedTuple):
    """The controller that a pod belongs to: an instance, or while nobody has claimed it a pool."""

    name: str
    uid: str
    kind: str = KIND


@dataclass(frozen=True, slots=True)
class Termination:
    """How a container ended."""

    exit_code: int
    reason: str
    message: str
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Container:
    """The server's container as the kubelet last told; the defaults are those of one not yet made.

    Attributes:
        has_started: the startup probe was answered in this run.
        termination: how this run ended, or else the run before it.
    """

    running_since: datetime | None = None
    has_started: bool = False
    waiting_reason: str = ""
    waiting_message: str = ""
    restarts: int = 0
    termination: Termination | None = None


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod, at one resource version.

    Attributes:
        created_at: when the API server made it.
        is_labelled: watches and lists tell of it.
        template: hash of the pool's template that it was made from; empty for a pod of no pool.
        terminates_at: end of the grace period of a pod that is being deleted.
        readiness_changed_at: when the kubelet last changed its mind; a mark to compare for
            equality only, since it is the node's clock.
        unschedulable: the scheduler's message.
        disruption: reason and message of the DisruptionTarget condition: who takes the pod away.
        startup: how long the server may boot before the kubelet ends it.
        is_restarted: a server that has ended is started again.
        public_key: what the server checks tokens by; empty when it wants none.
    """

    key: Key
    uid: str
    owner: Owner | None
    created_at: datetime | None
    is_labelled: bool
    template: str
    terminates_at: datetime | None
    node_name: str
    ip: str
    phase: str
    reason: str
    message: str
    is_ready: bool
    readiness_changed_at: datetime | None
    unschedulable: str | None
    disruption: tuple[str, str] | None
    container: Container
    startup: timedelta
    is_restarted: bool
    public_key: str
    resource_version: int = field(compare=False)

    @property
    def is_warm(self) -> bool:
        """Whether it belongs to a pool: nobody has claimed it."""
        return self.owner is not None and self.owner.kind == POOL_KIND

    @property
    def has_served(self) -> bool:
        """Whether the server was ready, or is, since its container runs; both are the node's clock.

        Before the first time the kubelet calls a pod unready since it was there.
        """
        since = self.container.running_since
        changed_at = self.readiness_changed_at
        return since is not None and changed_at is not None and changed_at > since

    @property
    def incarnation(self) -> str | None:
        """The current or last life of the server, None before the first."""
        container = self.container
        has_run = container.running_since is not None or container.termination is not None
        return f"{self.uid}-{container.restarts}" if has_run else None

    @classmethod
    def from_api(cls, raw: JsonObject) -> Self:
        """Read a pod that the API server has accepted."""
        metadata: JsonObject = raw["metadata"]
        spec: JsonObject = raw.get("spec") or {}
        status: JsonObject = raw.get("status") or {}
        ready = _condition(status, "Ready")
        scheduled = _condition(status, "PodScheduled")
        disruption = _condition(status, "DisruptionTarget")
        server = _server(spec.get("containers") or ())
        return cls(
            key=Key(metadata["namespace"], metadata["name"]),
            uid=metadata["uid"],
            owner=controller_of(metadata.get("ownerReferences") or ()),
            created_at=parse_timestamp(metadata.get("creationTimestamp")),
            is_labelled=_labels(metadata).get(MANAGED_BY_LABEL) == MANAGED_BY,
            template=_labels(metadata).get(TEMPLATE_LABEL, ""),
            terminates_at=parse_timestamp(metadata.get("deletionTimestamp")),
            node_name=spec.get("nodeName", ""),
            ip=status.get("podIP", ""),
            phase=status.get("phase", ""),
            reason=status.get("reason", ""),
            message=status.get("message", ""),
            is_ready=ready.get("status") == "True",
            readiness_changed_at=parse_timestamp(ready.get("lastTransitionTime")),
            unschedulable=(
                scheduled.get("message", "") if scheduled.get("reason") == "Unschedulable" else None
            ),
            disruption=(
                (disruption.get("reason", ""), disruption.get("message", ""))
                if disruption.get("status") == "True"
                else None
            ),
            container=_container(_server(status.get("containerStatuses") or ())),
            is_restarted=spec.get("restartPolicy") != "Never",
            startup=_startup(server),
            public_key=_public_key(server),
            resource_version=int(metadata["resourceVersion"]),
        )


def _labels(metadata: JsonObject) -> JsonObject:
    return metadata.get("labels") or _NOTHING


def _server(containers: Iterable[JsonObject]) -> JsonObject:
    return next((one for one in containers if one["name"] == CONTAINER), _NOTHING)


def _condition(status: JsonObject, kind: str) -> JsonObject:
    conditions: Iterable[JsonObject] = status.get("conditions") or ()
    return next((one for one in conditions if one["type"] == kind), _NOTHING)


def controller_of(references: Iterable[JsonObject]) -> Owner | None:
    """Return the controller among an object's owners."""
    for reference in references:
        if reference.get("controller"):
            return Owner(reference["name"], reference["uid"], reference.get("kind", KIND))
    return None


def _container(status: JsonObject) -> Container:
    state: JsonObject = status.get("state") or {}
    last_state: JsonObject = status.get("lastState") or {}
    waiting: JsonObject = state.get("waiting") or {}
    running: JsonObject = state.get("running") or {}
    return Container(
        running_since=parse_timestamp(running.get("startedAt")),
        has_started=status.get("started") is True,
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        restarts=status.get("restartCount", 0),
        termination=_termination(state.get("terminated") or last_state.get("terminated")),
    )


def _termination(terminated: JsonObject | None) -> Termination | None:
    if not terminated:
        return None
    return Termination(
        exit_code=terminated.get("exitCode", 0),
        reason=terminated.get("reason", ""),
        message=terminated.get("message", ""),
        finished_at=parse_timestamp(terminated.get("finishedAt")),
    )


def _public_key(container: JsonObject) -> str:
    variables: Iterable[JsonObject] = container.get("env") or ()
    for variable in variables:
        if variable["name"] == PUBLIC_KEY_VARIABLE:
            # One text for the thousands of pods that have the same.
            return sys.intern(str(variable.get("value", "")))
    return ""


def _startup(container: JsonObject) -> timedelta:
    probe: JsonObject | None = container.get("startupProbe")
    if not probe:
        return _DEFAULT_STARTUP
    return timedelta(seconds=probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3))
