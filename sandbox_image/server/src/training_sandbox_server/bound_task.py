"""The one task of a server that was started for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from training_sandbox_server.episode import Episode
from training_sandbox_server.episode_state import EpisodeState
from training_sandbox_server.protocol import TaskStatus


@dataclass(slots=True)
class BoundTask:
    """A task that is opened at start under a given id, and how it stands.

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
