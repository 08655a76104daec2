"""What is given up when memory is short, so that the container does not end as a whole.

When a container goes over its limit, the kernel kills all of its processes at once (Kubernetes sets
`memory.oom.group` since 1.28). So one is ended before: templates first, which cost time alone, then
the largest episode.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from training_sandbox_server import memory
from training_sandbox_server.episode import Episode
from training_sandbox_server.episode_state import EpisodeState, Loss
from training_sandbox_server.episodes import Episodes
from training_sandbox_server.memory import Memory
from training_sandbox_server.memory_use import private_bytes, resident_bytes
from training_sandbox_server.templates import LEAST_FREE_SHARE
from training_sandbox_server.workers import Workers

_EMERGENCY_FREE_SHARE = 0.05

_LEAST_SECONDS = 0.01
_MOST_SECONDS = 0.25
_FILLED_BYTES_A_SECOND = 4 << 30
"""What a few processes can write at most, by experience 1 GiB each."""

_Key = TypeVar("_Key")


class Relief(StrEnum):
    """What is given up."""

    NOTHING = "nothing"
    A_TEMPLATE = "a template"
    ALL_TEMPLATES = "all templates"
    AN_EPISODE = "an episode"


def relief(free_share: float, *, has_limit: bool, has_templates: bool) -> Relief:
    """What is to be given up now.

    Args:
        free_share: The share of memory that can still be had.
        has_limit: Whether the container has a limit. Without one the kernel chooses a process of
            the machine, which need not be of this container.
        has_templates: Whether there are any.
    """
    if free_share >= LEAST_FREE_SHARE:
        return Relief.NOTHING
    emergency = free_share < _EMERGENCY_FREE_SHARE
    if has_templates:
        return Relief.ALL_TEMPLATES if emergency else Relief.A_TEMPLATE
    return Relief.AN_EPISODE if emergency and has_limit else Relief.NOTHING


def pause(now: Memory) -> float:
    """Seconds until memory is to be looked at again: the less is left, the sooner."""
    if not now.of_container:
        return _MOST_SECONDS
    left = now.free_bytes - _EMERGENCY_FREE_SHARE * now.total_bytes
    return min(max(left / _FILLED_BYTES_A_SECOND, _LEAST_SECONDS), _MOST_SECONDS)


def largest(bounds: Mapping[_Key, int], size: Callable[[_Key], int]) -> tuple[_Key | None, int]:
    """The one of the greatest size, and its size; None where none has any.

    Args:
        bounds: What the size of each is at most.
        size: Finds a size out; not called for what cannot be the largest.
    """
    found, most = None, 0
    for key in sorted(bounds, key=bounds.__getitem__, reverse=True):
        if bounds[key] <= most:
            break
        if (its := size(key)) > most:
            found, most = key, its
    return found, most


class MemoryGuard:
    """Looks at memory and gives up what must be, one thing at a time.

    Args:
        episodes: The episodes.
        workers: Have the templates.
        control_group: See `memory.read`.
        on_out_of_memory: Called for every episode that is ended.
    """

    def __init__(
        self,
        episodes: Episodes,
        workers: Workers,
        control_group: Path,
        *,
        on_out_of_memory: Callable[[], None],
    ) -> None:
        self._episodes = episodes
        self._workers = workers
        self._control_group = control_group
        self._on_out_of_memory = on_out_of_memory

    async def watch(self) -> None:
        """Look again and again, for ever."""
        while True:
            now = memory.read(self._control_group)
            await self._relieve(now)
            await asyncio.sleep(pause(now))

    async def _relieve(self, now: Memory) -> None:
        """Give up what must be, and wait until its memory is back."""
        templates = self._workers.templates.count
        match relief(now.free_share, has_limit=now.of_container, has_templates=templates > 0):
            case Relief.NOTHING:
                pass
            case Relief.A_TEMPLATE:
                await self._workers.drop_templates(1)
            case Relief.ALL_TEMPLATES:
                await self._workers.drop_templates(templates)
            case Relief.AN_EPISODE:
                await self._end_largest()

    async def _end_largest(self) -> None:
        # Of one that ends already the memory is about to come back: no other is ended for it.
        pids = {episode: episode.pids for episode in self._episodes.holding_slots}
        episode, size = await asyncio.to_thread(_largest, pids)
        if episode is None:
            return
        if not episode.state.is_over:
            self._on_out_of_memory()
        why = f"memory is short: it was the largest episode, {size >> 20} MB"
        await episode.end(EpisodeState.LOST, why, Loss.OUT_OF_MEMORY)


def _largest(pids: Mapping[Episode, Sequence[int]]) -> tuple[Episode | None, int]:
    """The episode whose processes hold most alone, which is what comes back when it ends."""
    # Quickly read; what a process holds alone takes the kernel a walk of its page tables.
    bounds = {episode: sum(map(resident_bytes, its)) for episode, its in pids.items()}
    return largest(bounds, lambda episode: sum(map(private_bytes, pids[episode])))
