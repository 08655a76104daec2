"""What an environment implements: `Environment` in the zygote, `Episode` in a process of its own.

An environment is found by the entry point group `training_sandbox.environments` of the venv that
it is installed in. Its methods run in four kinds of process:

- `Environment.preload`, `splits`, `tools`, `readable` and `truth` in the zygote, once, before any
  fork;
- `Environment.open` in a template, which many episodes are forked from, or in the process of the
  only episode that needs it;
- everything of `Episode` in the episode's process, confined;
- `Environment.evaluate` in a process of its own, forked from the zygote or from a template and
  never from the episode: what agent code did to its process cannot reach the evaluation.
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
class Task:
    """What is played.

    Attributes:
        id: One of the ids in `Environment.splits`.
        params: The `params` of the request that created the episode.
    """

    id: str
    params: Mapping[str, object]


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
    """A task being played. It lives in a forked process of its own and is used by one thread.

    It can write no file, and open only what `Environment.readable` names. Before its process is
    copied it must have no thread but the one that calls it.
    """

    @abstractmethod
    def initial_messages(self) -> list[Message]:
        """The system message and the user message that the task starts with."""

    @abstractmethod
    def step(self, message: Message) -> Observation:
        """Execute one action.

        An error of the agent's code is an observation, not an exception.

        Raises:
            InvalidAction: The message is no action of this environment; nothing was executed.
        """

    @abstractmethod
    def save(self) -> bytes:
        """The state that `Environment.evaluate` needs, as the last step left it."""

    def before_fork(self) -> None:  # noqa: B027 (most episodes have nothing to do)
        """Get ready to be copied; called in the process that is about to fork."""

    def after_fork(self, seed: int | None) -> None:  # noqa: B027 (the same)
        """Go on after a fork, in the copy and in the original.

        Args:
            seed: Where randomness goes on from; None: as if there had been no fork. The module
                `random` is taken care of already.
        """

    def close(self) -> None:  # noqa: B027 (the same)
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

    def readable(self) -> Sequence[Path]:
        """Files and folders that episodes may read, beside Python's and the system's libraries."""
        return ()

    def truth(self) -> Sequence[Path]:
        """Files and folders that only evaluations may read."""
        return ()

    @abstractmethod
    def open(self, task: Task) -> Episode:
        """Start a task. What it returns may be played by many processes, each a copy.

        Raises:
            InvalidAction: The params are not ones that this environment takes.
        """

    @abstractmethod
    def evaluate(self, task: Task, state: bytes, *, sparse: bool) -> float:
        """Score what an episode saved.

        Args:
            task: The task that was opened.
            state: What `Episode.save` returned. Agent code ran in the process that it comes from:
                it may be anything.
            sparse: All or nothing (0.0 or 1.0) instead of the share that was achieved.
        """
