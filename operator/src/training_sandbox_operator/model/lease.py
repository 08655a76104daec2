"""The Lease that says which of the operator's processes leads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from training_sandbox_operator.model.names import JsonObject


@dataclass(frozen=True, slots=True)
class Lease:
    """One version of the record.

    Attributes:
        holder: identity of the process that leads; empty when the lease was given back.
        seconds: how long it holds after a renewal.
        transitions: how often the holder has changed.
        acquired_at: when the holder became so, as the record says it.
        version: the resource version.
    """

    holder: str
    seconds: int
    transitions: int
    acquired_at: str
    version: str

    @classmethod
    def from_api(cls, raw: JsonObject) -> Self:
        """Read a coordination.k8s.io/v1 Lease; all of its fields are optional there."""
        spec: JsonObject = raw.get("spec") or {}
        return cls(
            holder=spec.get("holderIdentity") or "",
            seconds=spec.get("leaseDurationSeconds") or 1,
            transitions=spec.get("leaseTransitions") or 0,
            acquired_at=spec.get("acquireTime") or "",
            version=raw["metadata"]["resourceVersion"],
        )


def lease_manifest(metadata: JsonObject, spec: JsonObject) -> JsonObject:
    """Return a Lease as it is written."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": spec,
    }


def held_by(identity: str, seconds: int, before: Lease | None, now: datetime) -> JsonObject:
    """Return the ``spec`` by which a process takes the lease, or renews it.

    Its times are for people: nobody compares the clocks of two machines.
    """
    moment = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    continues = before is not None and before.holder == identity
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": seconds,
        "acquireTime": before.acquired_at if before and continues else moment,
        "renewTime": moment,
        "leaseTransitions": (before.transitions + (not continues)) if before else 0,
    }


def given_back(before: Lease, now: datetime) -> JsonObject:
    """Return the ``spec`` by which the holder lets another process take the lease at once."""
    return {**held_by("", 1, before, now), "leaseTransitions": before.transitions}
