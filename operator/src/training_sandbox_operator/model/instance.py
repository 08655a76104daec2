"""A TrainingInstance as the operator sees it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Self

from training_sandbox_operator.model import names
from training_sandbox_operator.model.bounded_spec import bounded_spec
from training_sandbox_operator.model.names import JsonObject, Key
from training_sandbox_operator.model.reasons import Phase
from training_sandbox_operator.model.timestamps import parse_timestamp

# The CRD fills these in; an object that was stored before it did so lacks them.
_DEFAULT_TTL_SECONDS = 14400
_DEFAULT_IDLE_TIMEOUT_SECONDS = 300
_DEFAULT_TTL_SECONDS_AFTER_FINISHED = 60


@dataclass(frozen=True)
class TrainingInstance:
    """One TrainingInstance, at one resource version.

    Two views are equal when nothing that the operator acts on differs: the resource version and
    what others write into the metadata do not count.

    Attributes:
        oversize: bytes of the spec as JSON when they are too many for all of it to be kept.
    """

    key: Key
    uid: str
    generation: int
    created_at: datetime
    is_being_deleted: bool
    spec: JsonObject
    status: JsonObject
    resource_version: int = field(compare=False)
    oversize: int | None = None

    @classmethod
    def from_api(cls, raw: JsonObject) -> Self:
        """Read an object that the API server has accepted; absent optional fields are fine."""
        metadata: JsonObject = raw["metadata"]
        spec, oversize = bounded_spec(raw.get("spec") or {})
        return cls(
            key=Key(metadata["namespace"], metadata["name"]),
            uid=metadata["uid"],
            generation=metadata.get("generation", 1),
            created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
            is_being_deleted="deletionTimestamp" in metadata,
            spec=spec,
            status=raw.get("status") or {},
            resource_version=int(metadata["resourceVersion"]),
            oversize=oversize,
        )

    @property
    def env_type(self) -> str:
        """The name of the environment in the catalogue."""
        return self.spec.get("envType", "")

    @property
    def task_id(self) -> str | None:
        """The bound task, or None for an open server."""
        return self.spec.get("taskId")

    @property
    def pool_name(self) -> str | None:
        """The pool that the pod is taken from, None when the instance starts its own."""
        reference: JsonObject | None = self.spec.get("poolRef")
        return reference["name"] if reference else None

    @property
    def may_start_cold(self) -> bool:
        """Whether a pod is started when the pool has none that is ready."""
        reference: JsonObject = self.spec.get("poolRef") or {}
        return reference.get("whenEmpty") == "ColdStart"

    @property
    def idle_timeout(self) -> timedelta:
        """How long the instance lives without a call of any episode."""
        return self._duration("idleTimeoutSeconds", _DEFAULT_IDLE_TIMEOUT_SECONDS)

    @property
    def retains_failed(self) -> bool:
        """Whether a failed pod is kept for debugging."""
        return self.spec.get("retainFailed") is True

    @property
    def phase(self) -> Phase | None:
        """The phase that was last written, or None before the first."""
        return Phase(self.status["phase"]) if self.status.get("phase") else None

    @property
    def is_terminal(self) -> bool:
        """Whether the instance is known to be Finished or Failed."""
        return self.phase is not None and self.phase.is_terminal

    @property
    def pod_name(self) -> str:
        """The name of the only pod that may be made for this instance."""
        return names.pod_name(self.key.name, self.uid)

    @property
    def pod_uid(self) -> str | None:
        """The pod that was last seen, or None before the first."""
        return self.status.get("podUID")

    @cached_property
    def ready_at(self) -> datetime | None:
        """When the server was ready for the first time."""
        return parse_timestamp(self.status.get("readyAt"))

    @cached_property
    def finished_at(self) -> datetime | None:
        """When the instance became Finished or Failed."""
        return parse_timestamp(self.status.get("finishedAt"))

    def expires_at(self, finished_at: datetime | None, *, failed: bool) -> datetime:
        """Return when the instance is to be deleted at the latest.

        Args:
            finished_at: when it became Finished or Failed, None while it lives.
            failed: whether it became Failed; only that is retained.
        """
        ttl_end = self.created_at + self._duration("ttlSeconds", _DEFAULT_TTL_SECONDS)
        if finished_at is None or (failed and self.retains_failed):
            return ttl_end
        stay = self._duration("ttlSecondsAfterFinished", _DEFAULT_TTL_SECONDS_AFTER_FINISHED)
        return min(ttl_end, finished_at + stay)

    def _duration(self, name: str, default: int) -> timedelta:
        return timedelta(seconds=self.spec.get(name, default))
