"""Last resorts: taking away what a sandbox left when it was dropped, or the process ended.

Cleanups run without an event loop and start no thread, because at the end of an interpreter
there is neither.
"""

from __future__ import annotations

import logging
import os
import weakref
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

logger = logging.getLogger("training_sandbox")

DELETE_SECONDS = 10.0
_ALREADY_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


class Leftover:
    """Something that must not outlive its owner.

    Args:
        owner: the cleanup runs when it is collected, or at the end of the process.
        cleanup: must not refer to the owner. Not run in a forked child, whose parent still
            uses what it would take away.
    """

    def __init__(self, owner: object, cleanup: Callable[[], None]) -> None:
        self._finalizer = weakref.finalize(owner, _unless_forked, os.getpid(), cleanup)

    def forget(self) -> None:
        """Note that it was taken away in the orderly way."""
        self._finalizer.detach()


def _unless_forked(process: int, cleanup: Callable[[], None]) -> None:
    if os.getpid() == process:
        cleanup()


@dataclass(frozen=True, slots=True)
class Deletion:
    """The deletion of one object of the Kubernetes API, ready to be sent.

    Attributes:
        url: the object's.
        uid: of the very object that is meant.
        name: for messages.
    """

    url: str
    uid: str
    name: str
    headers: Mapping[str, str]
    verify: ssl.SSLContext | bool
    proxy: str | None

    def send(self) -> None:
        """Delete the object; log a warning when that fails."""
        try:
            answer = httpx.request(
                "DELETE",
                self.url,
                headers=self.headers,
                json={"propagationPolicy": "Background", "preconditions": {"uid": self.uid}},
                verify=self.verify,
                proxy=self.proxy,
                timeout=DELETE_SECONDS,
            )
            if answer.status_code not in _ALREADY_GONE:
                answer.raise_for_status()
        except httpx.HTTPError as error:
            warn_of_leftover(self.name, error)


def warn_of_leftover(name: str, error: Exception) -> None:
    """Say that an instance could not be deleted, and what ends it."""
    logger.warning(
        "TrainingInstance %s could not be deleted (%s): its idle timeout ends it, or "
        "`tsb delete %s` does now",
        name,
        str(error) or type(error).__name__,
        name,
    )
