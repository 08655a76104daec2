"""A TrainingPool as the operator sees it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from training_sandbox_operator.model.bounded_spec import bounded_spec
from training_sandbox_operator.model.names import JsonObject, Key


@dataclass(frozen=True)
class TrainingPool:
    """One TrainingPool, at one resource version; views are equal as those of an instance are."""

    key: Key
    uid: str
    generation: int
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
    def follows_demand(self) -> bool:
        """Whether the operator decides how many warm pods there are to be."""
        return "maxReplicas" in self.spec

    @property
    def fewest(self) -> int:
        """The least number of warm pods to keep."""
        name = "minReplicas" if self.follows_demand else "replicas"
        return self.spec.get(name, 0)

    @property
    def most(self) -> int:
        """The greatest number of warm pods to keep."""
        name = "maxReplicas" if self.follows_demand else "replicas"
        return self.spec.get(name, 0)

    @property
    def longest_age(self) -> timedelta | None:
        """How old a warm pod may become, None for as old as it will."""
        seconds = self.spec.get("maxAgeSeconds")
        return None if seconds is None else timedelta(seconds=seconds)
