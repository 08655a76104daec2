"""The states of an episode and what follows what. No I/O."""

from enum import StrEnum

from training_sandbox_server.errors import (
    EpisodeExpiredError,
    EpisodeLostError,
    EpisodeReleasedError,
    SandboxError,
)


class EpisodeState(StrEnum):
    """Where an episode stands.

    An episode opens, runs and terminates; from each of these it can be released, expire or be
    lost, and then it is over. A terminated one takes no step but can be evaluated.
    """

    OPENING = "opening"
    RUNNING = "running"
    TERMINATED = "terminated"
    RELEASED = "released"
    EXPIRED = "expired"
    LOST = "lost"

    @property
    def is_over(self) -> bool:
        """Whether nothing of the episode is left."""
        return self in _REFUSALS

    def may_become(self, state: "EpisodeState") -> bool:
        """Whether a state follows this one."""
        if state.is_over:
            return not self.is_over
        return (self, state) in _PROGRESS


class Loss(StrEnum):
    """Why an episode was lost, where that was decided here."""

    OUT_OF_MEMORY = "out_of_memory"


_PROGRESS = {
    (EpisodeState.OPENING, EpisodeState.RUNNING),
    (EpisodeState.RUNNING, EpisodeState.TERMINATED),
}

_REFUSALS: dict[EpisodeState, tuple[type[SandboxError], str]] = {
    EpisodeState.RELEASED: (EpisodeReleasedError, "was released"),
    EpisodeState.EXPIRED: (EpisodeExpiredError, "expired: nobody called it for too long"),
    EpisodeState.LOST: (EpisodeLostError, "was lost: its process ended or was killed"),
}

_LOSSES = {
    Loss.OUT_OF_MEMORY: "memory was short, and it was the largest episode",
}


def refusal(state: EpisodeState, episode_id: str, loss: Loss | None = None) -> SandboxError:
    """What a call of an episode that is over is answered.

    Args:
        state: Its state.
        episode_id: Its id.
        loss: Why it was lost, if there is a reason that programs are told.

    Raises:
        KeyError: The state is none of those in which an episode is over.
    """
    if loss is not None:
        return EpisodeLostError(
            f"episode {episode_id} was lost: {_LOSSES[loss]}", reason=loss.value
        )
    kind, what = _REFUSALS[state]
    return kind(f"episode {episode_id} {what}")
