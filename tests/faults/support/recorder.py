"""Records of what never happened, for the specifications of the checks that read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.support.history import History
from tests.faults.support.seen import INSTANCES, PODS, POOLS, SECRETS, Seen
from training_sandbox_operator.model.names import INCARNATION_ANNOTATION, TEMPLATE_LABEL

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Recorder:
    """Writes histories: every event is a second and a version later than the one before."""

    def __init__(self) -> None:
        self.history = History()

    @property
    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=len(self.history.seen))

    def _record(self, kind: str, metadata: dict[str, Any], *, gone: bool, **parts: Any) -> None:
        version = str(len(self.history.seen) + 1)
        one = {"metadata": {"resourceVersion": version, **metadata}, **parts}
        self.history.seen.append(Seen(self.now, kind, one, gone))

    def instance(
        self, name: str, *, status: dict[str, Any] | None = None, gone: bool = False, **spec: Any
    ) -> None:
        times = {"ttlSeconds": 100, "idleTimeoutSeconds": 100, "ttlSecondsAfterFinished": 100}
        metadata = {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": BEGIN.isoformat()}
        self._record(INSTANCES, metadata, gone=gone, spec={**times, **spec}, status=status or {})

    def pod(
        self,
        name: str,
        owner: str,
        *,
        gone: bool = False,
        ending: bool = False,
        warm: bool = False,
        restarts: int = 0,
        template: str = "",
        ready: bool = True,
    ) -> None:
        kind = "TrainingPool" if warm else "TrainingInstance"
        reference = {"kind": kind, "name": owner, "uid": f"uid-of-{owner}", "controller": True}
        metadata: dict[str, Any] = {"name": name, "uid": f"uid-of-{name}"}
        metadata["ownerReferences"] = [reference]
        metadata["labels"] = {TEMPLATE_LABEL: template}
        if ending:
            metadata["deletionTimestamp"] = self.now.isoformat()
        status = {
            "containerStatuses": [{"restartCount": restarts}],
            "conditions": [{"type": "Ready", "status": str(ready)}],
        }
        self._record(PODS, metadata, gone=gone, status=status)

    def secret(
        self,
        owner: str | None,
        incarnation: str = "uid-of-pod-0",
        *,
        name: str | None = None,
        number: int = 0,
        gone: bool = False,
    ) -> None:
        name = name or f"{owner}-token"
        uid = f"uid-of-{name}-{incarnation}" + (f"-{number}" if number else "")
        metadata: dict[str, Any] = {"name": name, "uid": uid}
        metadata["creationTimestamp"] = BEGIN.isoformat()
        metadata["annotations"] = {INCARNATION_ANNOTATION: incarnation}
        if owner is not None:
            reference = {"kind": "TrainingInstance", "name": owner, "uid": f"uid-of-{owner}"}
            metadata["ownerReferences"] = [{**reference, "controller": True}]
        self._record(SECRETS, metadata, gone=gone)

    def pool(self, name: str, *, gone: bool = False, replicas: int = 1) -> None:
        metadata = {"name": name, "uid": f"uid-of-{name}"}
        self._record(POOLS, metadata, gone=gone, spec={"replicas": replicas})
