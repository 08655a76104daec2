"""What makes two calls mean the same episode."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """What a branch was forked from, and how.

    Attributes:
        parent: The id of the episode.
        life: That episode and no later one of its id.
        reseed: Whether the branch has random numbers of its own.
    """

    parent: str
    life: object
    reseed: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two creates, or forks, the same.

    Attributes:
        episode_id: Which episode.
        task_id: Of which task.
        params: Its params.
        origin: For a branch, where it comes from.
    """

    episode_id: str
    task_id: str
    params: Mapping[str, object]
    origin: Origin | None = None
