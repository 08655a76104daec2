"""Calls to the Kubernetes API that outlast its short absences."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

from training_sandbox._exceptions import ClusterUnavailable
from training_sandbox._retry import Deadline, pause_before

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LONGEST_WAIT_SECONDS = 10.0
"""However much later the API wants to be asked again."""

T = TypeVar("T")


async def until_answered(
    call: Callable[[], Awaitable[T]], seconds: float, *, attempts: int = 1
) -> T:
    """Return what the call returns; call again where the API has no answer for now.

    Args:
        call: may be made any number of times.
        seconds: how long to go on.
        attempts: how often to try at least, however long each takes.

    Raises:
        ClusterUnavailable: there was no answer in time, or there can be none.
    """
    deadline = Deadline.after(seconds)
    attempt = 0
    while True:
        attempt += 1
        try:
            return await call()
        except ClusterUnavailable as error:
            pause = pause_after(error, pause_before(attempt))
            gives_up = attempt >= attempts and pause >= deadline.remaining()
            if gives_up or not error.passing:
                raise
        await anyio.sleep(pause)


def pause_after(error: ClusterUnavailable, least: float) -> float:
    """Return the seconds to wait before the next call: as the API asks, within bounds."""
    return max(least, min(error.retry_after or 0.0, LONGEST_WAIT_SECONDS))
