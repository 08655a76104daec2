"""What the server of an instance answered when it was asked for its /status."""

from dataclasses import dataclass
from datetime import datetime, timedelta

_FIRST_RETRY = timedelta(seconds=2)
_LONGEST_RETRY = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class TaskReport:
    """The bound task as the server tells of it.

    Attributes:
        state: opening, running, terminated, released, expired or lost.
        reward: None when the task has not been evaluated.
    """

    state: str
    steps: int
    reward: float | None
    is_finished: bool


@dataclass(frozen=True, slots=True)
class ServerReply:
    """The server has answered.

    Attributes:
        at: when.
        occasion: why it was asked.
        phase: booting, serving or draining.
        idle: how long no episode was called; zero while a call is in flight.
    """

    at: datetime
    occasion: str
    phase: str
    idle: timedelta
    slots_total: int
    slots_used: int
    task: TaskReport | None


@dataclass(frozen=True, slots=True)
class ServerSilence:
    """The server could not be asked.

    Attributes:
        at: when it was tried last.
        occasion: why it was asked.
        failures: how often in a row.
        error: what went wrong, in a sentence.
    """

    at: datetime
    occasion: str
    failures: int
    error: str

    @property
    def retry_at(self) -> datetime:
        """When to ask again: after 2 s, 4 s, 8 s …, 300 s."""
        return self.at + min(_FIRST_RETRY * 2 ** min(self.failures - 1, 16), _LONGEST_RETRY)


@dataclass(frozen=True, slots=True)
class TaskRefusal:
    """The server has answered that the task which it was asked to open will not be played.

    Attributes:
        at: when.
        occasion: why it was asked.
        reason: one CamelCase word.
        message: a sentence.
    """

    at: datetime
    occasion: str
    reason: str
    message: str


ServerAnswer = ServerReply | ServerSilence | TaskRefusal
