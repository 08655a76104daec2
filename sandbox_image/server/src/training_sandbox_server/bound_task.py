"""The one task of a server that plays no other."""

from collections.abc import Mapping
from dataclasses import dataclass

from training_sandbox_server.episode import Episode
from training_sandbox_server.episode_state import EpisodeState
from training_sandbox_server.errors import AlreadyBoundError
from training_sandbox_server.protocol import TaskStatus
from training_sandbox_server.strict_json import canonical


@dataclass(slots=True)
class BoundTask:
    """A task that is opened at start, or by /bind, under a given id, and how it stands.

    Attributes:
        task_id: The task.
        episode_id: The id of its episode.
        params: Of its episode.
        episode: Its episode once it is open; kept when it is over.
    """

    task_id: str
    episode_id: str
    params: Mapping[str, object]
    episode: Episode | None = None

    @property
    def finished(self) -> bool:
        """Whether the episode is over, or terminated and evaluated."""
        if self.episode is None:
            return False
        if self.episode.state is EpisodeState.TERMINATED:
            return self._reward is not None
        return self.episode.state.is_over

    @property
    def status(self) -> TaskStatus:
        """The `task` of /status."""
        return TaskStatus(
            task_id=self.task_id,
            episode_id=self.episode_id,
            state=(self.episode.state if self.episode else EpisodeState.OPENING).value,
            steps=self.episode.ledger.executed if self.episode else 0,
            reward=self._reward,
            finished=self.finished,
        )

    @property
    def _reward(self) -> float | None:
        return self.episode.ledger.final_reward if self.episode else None


@dataclass(slots=True)
class Binding:
    """Whether this server plays one task only, and which. That is decided once.

    Attributes:
        task: The task; None while the server is open to all.
    """

    task: BoundTask | None = None

    @property
    def episode_id(self) -> str | None:
        """The id of the task's episode."""
        return self.task.episode_id if self.task is not None else None

    def bind(self, task: BoundTask, *, in_use: bool) -> BoundTask:
        """Decide for a task; again for the same one changes nothing.

        Args:
            task: The task.
            in_use: Whether episodes of others are open.

        Raises:
            AlreadyBoundError: The server plays another task, or episodes of others.
        """
        if self.task is None and in_use:
            raise AlreadyBoundError("episodes are open here; only an unused server can be bound")
        if self.task is None:
            self.task = task
        is_same = (self.task.task_id, self.task.episode_id) == (task.task_id, task.episode_id)
        if not is_same or canonical(self.task.params) != canonical(task.params):
            raise AlreadyBoundError(
                f"this server plays {self.task.task_id} in the episode {self.task.episode_id}"
            )
        return self.task
