"""Finishing what must not stop half-way, such as creating or deleting an object."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


async def uninterrupted(call: Callable[[], Coroutine[None, None, T]]) -> T:
    """Return what the coroutine returns; a cancellation takes effect only when it has ended.

    A shielded scope alone holds off the cancellation of anyio's scopes, not that of asyncio's
    tasks, which is how ``asyncio.run`` passes on Ctrl-C. The coroutine sets its own deadline.
    """
    task = asyncio.create_task(call())
    cancellation: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancellation = error
    if cancellation:
        task.exception()
        raise cancellation
    return task.result()
