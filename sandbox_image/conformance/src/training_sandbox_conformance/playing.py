"""An episode that is being played, what was seen of it, and how that differs from another."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from os.path import commonprefix
from typing import cast

from training_sandbox_conformance.installed import Message
from training_sandbox_conformance.outcomes import Violation
from training_sandbox_conformance.served import Begun, Served

_SHOWN = 120

Score = tuple[float, float]
"""A reward, and the sparse one."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """What a step answered."""

    observation: object
    reward: float
    terminated: bool

    def __str__(self) -> str:
        ended = ", terminated" if self.terminated else ""
        return f"{self.observation} (reward {self.reward:g}{ended})"


@dataclass(frozen=True, slots=True)
class Played:
    """All that was seen of an episode, from its beginning to its evaluation.

    Attributes:
        task_id: What was played.
        beginning: The messages that it began with.
        steps: What each step answered.
        reward: The evaluation's.
        sparse: The reward if it is all or nothing.
    """

    task_id: str
    beginning: Sequence[Message]
    steps: Sequence[Stepped]
    reward: float
    sparse: float

    @property
    def terminated(self) -> bool:
        """Whether its last step ended the task."""
        return bool(self.steps) and self.steps[-1].terminated


class Playing:
    """An episode and the messages that are still to be sent.

    Args:
        served: Where it lives.
        task_id: What is played.
        begun: The episode.
        messages: One a step.
        beginning: What the task began with, if the episode is a branch.
        steps: What was seen before, if the episode is a branch.
    """

    def __init__(
        self,
        served: Served,
        task_id: str,
        begun: Begun,
        messages: Sequence[Message],
        *,
        beginning: Sequence[Message] | None = None,
        steps: Sequence[Stepped] = (),
    ) -> None:
        self.id = begun.id
        self._served = served
        self._task_id = task_id
        self._waiting = list(messages)
        self._beginning = begun.messages if beginning is None else beginning
        self._steps = list(steps)

    @classmethod
    def begin(cls, served: Served, task_id: str, messages: Sequence[Message]) -> "Playing":
        """A new episode."""
        return cls(served, task_id, served.create(task_id), messages)

    @property
    def is_over(self) -> bool:
        """Whether no message is left, or the task has ended."""
        return not self._waiting or (bool(self._steps) and self._steps[-1].terminated)

    def step(self) -> None:
        """Send the next message, if there is one to send."""
        if not self.is_over:
            data = self._served.step(self.id, self._waiting.pop(0))
            self._steps.append(
                Stepped(
                    observation=data["state"],
                    reward=cast("float", data["reward"]),
                    terminated=data["is_terminated"] is True,
                )
            )

    def steps(self, count: int) -> "Playing":
        """Send some messages."""
        for _ in range(count):
            self.step()
        return self

    def branch(self, messages: Sequence[Message] | None = None) -> "Playing":
        """A fork of it, which goes on with the same messages or with others."""
        (begun,) = self._served.fork(self.id, 1)
        return Playing(
            self._served,
            self._task_id,
            begun,
            self._waiting if messages is None else messages,
            beginning=self._beginning,
            steps=self._steps,
        )

    def evaluate(self) -> Score:
        """The reward so far."""
        reward = self._served.evaluate(self.id, sparse=False)
        return reward, self._served.evaluate(self.id, sparse=True)

    def end(self) -> Played:
        """Send all that is left, evaluate and release."""
        while not self.is_over:
            self.step()
        reward, sparse = self.evaluate()
        self._served.release(self.id)
        return Played(self._task_id, self._beginning, self._steps, reward, sparse)


def require_same(expected: Played, seen: Played, when: str) -> None:
    """Compare an episode with one that was played the same way.

    Raises:
        Violation: They differ; the text says where first.
    """
    where = f"task {expected.task_id}, {when}"
    if expected.beginning != seen.beginning:
        raise Violation(
            f"{where}: the first messages are {_difference(expected.beginning, seen.beginning)}"
        )
    for number, (one, other) in enumerate(zip_longest(expected.steps, seen.steps), 1):
        if one != other:
            raise Violation(f"{where}: step {number} answered {_difference(one, other)}")
    if (expected.reward, expected.sparse) != (seen.reward, seen.sparse):
        raise Violation(
            f"{where}: the reward is {seen.reward:g} (sparse {seen.sparse:g}) instead of "
            f"{expected.reward:g} (sparse {expected.sparse:g})"
        )


def _difference(expected: object, seen: object) -> str:
    """What was seen and what was expected, from shortly before the first difference."""
    texts = [str(seen), str(expected)]
    same = len(commonprefix(texts))  # noqa: RUF071 (of texts, not of paths)
    return " instead of ".join(_excerpt(text, max(0, same - _SHOWN // 2)) for text in texts)


def _excerpt(text: str, begin: int) -> str:
    end = begin + _SHOWN
    return f"{'…' if begin else ''}{text[begin:end]}{'…' if text[end:] else ''}"
