"""What kopf keeps of objects between events: nothing.

For handlers of changes, of which there are none here, kopf copies every object it hears of, four
times over, to find out what has changed in it. That is two thirds of what an event costs.
"""

from typing import Any

import kopf


class NoDiffBase(kopf.DiffBaseStorage):
    """Remembers no object, and sees no difference."""

    def build(self, **_: Any) -> Any:
        """Return that nothing of the object is essential."""
        return {}

    def fetch(self, **_: Any) -> None:
        """Return that the object was never seen."""

    def store(self, **_: Any) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Remembers no handler's progress."""

    def fetch(self, **_: Any) -> None:
        """Return that no handler has begun."""

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """Purge nothing."""

    def touch(self, **_: Any) -> None:
        """Touch nothing."""

    def clear(self, *, essence: Any) -> Any:
        """Return what is essential as it is; there is nothing to be taken out of it."""
        return essence
