"""What an environment implements: `Environment` in the zygote, `Episode` in a process of its own.

An environment is found by the entry point group `training_sandbox.environments` of the venv that
it is installed in. Its methods run in three kinds of process:

- `Environment.preload`, `splits` and `tools` in the zygote, once, before any fork;
- `Environment.open` and everything of `Episode` in the episode's process;
- `Environment.evaluate` in a process of its own, forked from the zygote and never from the
  episode's: what agent code did to its process cannot reach the evaluation.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Message = dict[str, object]
"""A chat message: `{"role": "assistant", "content": "…", "tool_calls": […]}`."""


class InvalidAction(ValueError):  # noqa: N818 (the caller's mistake, not a failure of ours)
    """The action, or the params of an episode, cannot be understood: the caller's fault.

    The text reaches the caller: one sentence that names the field and says what is allowed.
    """


@dataclass(frozen=True, slots=True)
class EpisodeContext:
    """One run of one task.

    Attributes:
        episode_id: The episode's name, unique in the life of a server.
        task_id: One of the ids in `Environment.splits`.
        params: The `params` of the request that created the episode.
        directory: A private, writable directory, empty at first; the state that
            `Environment.evaluate` reads lives here.
    """

    episode_id: str
    task_id: str
    params: Mapping[str, object]
    directory: Path


@dataclass(frozen=True, slots=True)
class Observation:
    """What the environment answers to one action.

    Attributes:
        messages: The messages for the agent; exactly one for a step.
        terminated: Whether the task ended with this step.
    """

    messages: Sequence[Message]
    terminated: bool = False


class Episode(ABC):
    """A task being played. It lives in its own forked process and is used by one thread."""

    @abstractmethod
    def initial_messages(self) -> list[Message]:
        """The system message and the user message that the task starts with."""

    @abstractmethod
    def step(self, message: Message) -> Observation:
        """Execute one action and save the state that `Environment.evaluate` needs.

        An error of the agent's code is an observation, not an exception.

        Raises:
            InvalidAction: The message is no action of this environment; nothing was executed.
        """

    def close(self) -> None:  # noqa: B027 (most episodes have nothing to release)
        """Release what the end of the process does not. Not called when the process is killed."""


class Environment(ABC):
    """The tasks of one environment. Constructed once, without arguments, in the zygote.

    Attributes:
        name: The name that `env_type` of a request carries.
    """

    name: str

    @abstractmethod
    def preload(self) -> None:
        """Import and load whatever episodes can share, before the first fork.

        The process must be single-threaded again when this returns.
        """

    @abstractmethod
    def splits(self) -> Mapping[str, Sequence[str]]:
        """The task ids of each split."""

    @abstractmethod
    def tools(self) -> str:
        """The description of the tools that an agent may use."""

    @abstractmethod
    def open(self, context: EpisodeContext) -> Episode:
        """Start a task. Called in the episode's process.

        Raises:
            InvalidAction: The params are not ones that this environment takes.
        """

    @abstractmethod
    def evaluate(self, context: EpisodeContext, *, sparse: bool) -> float:
        """Score the episode from `context.directory` as its last step left it.

        Called in a process of its own.

        Args:
            context: The episode's context, equal to the one that `open` was given.
            sparse: All or nothing (0.0 or 1.0) instead of the share that was achieved.
        """
