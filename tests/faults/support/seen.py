"""One event of a watch, which the record of a namespace is made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Object = dict[str, Any]

PODS = "pods"
INSTANCES = "traininginstances"
POOLS = "trainingpools"
SECRETS = "secrets"
_OWNER_KINDS = {"TrainingInstance", "TrainingPool"}


@dataclass(frozen=True)
class Seen:
    """One event of a watch.

    Attributes:
        at: when the watcher saw it.
        kind: plural of the object's kind.
        is_gone: the object was deleted; this is how it was last.
    """

    at: datetime
    kind: str
    one: Object
    is_gone: bool = False

    @property
    def uid(self) -> str:
        return self.one["metadata"]["uid"]

    @property
    def name(self) -> str:
        return self.one["metadata"]["name"]

    @property
    def version(self) -> int:
        return int(self.one["metadata"]["resourceVersion"])

    @property
    def owner(self) -> Object | None:
        for reference in self.one["metadata"].get("ownerReferences", ()):
            if reference.get("controller") and reference["kind"] in _OWNER_KINDS:
                return reference
        return None

    @property
    def is_ending(self) -> bool:
        return self.is_gone or "deletionTimestamp" in self.one["metadata"]

    def line(self) -> str:
        """The event as a line of text: when, what became of what, and its JSON."""
        what = "gone" if self.is_gone else "seen"
        kept = {k: v for k, v in self.one["metadata"].items() if k != "managedFields"}
        text = json.dumps({**self.one, "metadata": kept}, sort_keys=True)
        return f"{self.at:%H:%M:%S.%f} {self.version} {what} {self.kind} {self.name} {text}"
