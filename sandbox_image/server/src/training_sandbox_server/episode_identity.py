"""What makes two calls mean the same episode."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from training_sandbox_server.strict_json import canonical


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
        params_as_sent: What the params are compared by: for Python, 1 is true.
    """

    episode_id: str
    task_id: str
    params: Mapping[str, object] = field(compare=False)
    origin: Origin | None = None
    params_as_sent: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params_as_sent", canonical(self.params))
