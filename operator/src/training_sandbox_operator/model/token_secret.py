"""What the operator remembers of the Secret with an instance's token: never the token."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from training_sandbox_operator.model.names import (
    FIELD_MANAGER,
    INCARNATION_ANNOTATION,
    KIND,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    PUBLIC_KEY_ANNOTATION,
    JsonObject,
    Key,
)
from training_sandbox_operator.model.pod import Owner, controller_of


@dataclass(frozen=True, slots=True)
class TokenSecret:
    """One Secret, at one resource version, as far as its metadata tell.

    Attributes:
        incarnation: whose token it holds.
        public_key: what the token can be checked by.
        is_intact: it is labelled, and nobody but an operator has written what it holds.
    """

    key: Key
    uid: str
    owner: Owner | None
    incarnation: str
    public_key: str
    is_intact: bool
    resource_version: int = field(compare=False)

    @classmethod
    def from_api(cls, raw: JsonObject) -> Self:
        """Read a Secret, or its metadata alone."""
        metadata: JsonObject = raw["metadata"]
        annotations: JsonObject = metadata.get("annotations") or {}
        labels: JsonObject = metadata.get("labels") or {}
        return cls(
            key=Key(metadata["namespace"], metadata["name"]),
            uid=metadata["uid"],
            owner=controller_of(metadata.get("ownerReferences") or ()),
            incarnation=annotations.get(INCARNATION_ANNOTATION, ""),
            public_key=sys.intern(str(annotations.get(PUBLIC_KEY_ANNOTATION, ""))),
            is_intact=labels.get(MANAGED_BY_LABEL) == MANAGED_BY
            and not _is_written_by_others(metadata.get("managedFields") or ()),
            resource_version=int(metadata["resourceVersion"]),
        )

    def is_of(self, instance_name: str) -> bool:
        """Whether an operator made it for an instance of this name, maybe an earlier one."""
        owner = self.owner
        return owner is not None and (owner.kind, owner.name) == (KIND, instance_name)


def _is_written_by_others(managed_fields: Iterable[JsonObject]) -> bool:
    """Return whether anybody but an operator has put something into the Secret's data."""
    return any(
        "f:data" in (entry.get("fieldsV1") or {})
        for entry in managed_fields
        if entry.get("manager") != FIELD_MANAGER
    )
