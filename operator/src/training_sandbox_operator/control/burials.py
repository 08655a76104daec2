"""Which objects are known to be gone."""

import math
from typing import Protocol

_REMEMBERED = 20_000


class Version(Protocol):
    """One version of an object."""

    @property
    def uid(self) -> str: ...  # noqa: D102
    @property
    def resource_version(self) -> int: ...  # noqa: D102


class Burials:
    """The objects of whose end a watch has told, the latest ones.

    An answer or a page of a list that comes after it would bring the object back, and nothing would
    take it away again.
    """

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}

    def cover(self, one: Version) -> bool:
        """Return whether this is told of an object that was gone later."""
        return one.resource_version < self._ends.get(one.uid, 0)

    def add(self, uid: str, version: float = math.inf) -> None:
        """Take in that this object is gone; no other one has ever its UID.

        Args:
            uid: of the object.
            version: of its end; what is told of a later one, or of this, is true.
        """
        self._ends[uid] = version
        if len(self._ends) > _REMEMBERED:
            del self._ends[next(iter(self._ends))]
