"""The tasks, how they are played, and how they are scored.

`training_sandbox_worker.environment` says what each method is for and in which process it runs.
"""

import json
import random
from collections.abc import Mapping, Sequence

from training_sandbox_worker.environment import (
    Environment,
    Episode,
    InvalidAction,
    Message,
    Observation,
    Task,
)

HIGHEST = 100
DEFAULT_LIMIT = 10


class MyGameEpisode(Episode):
    """A number that is to be found.

    Args:
        number: The number.
        limit: How many guesses there are.
    """

    def __init__(self, number: int, limit: int) -> None:
        self._number = number
        self._limit = limit
        self._guesses: list[int] = []

    def initial_messages(self) -> list[Message]:
        """What the game is, and the task."""
        return [
            {"role": "system", "content": "Answer with a number, and nothing else."},
            {
                "role": "user",
                "content": f"Find my number, 1 to {HIGHEST}, in {self._limit} guesses.",
            },
        ]

    def step(self, message: Message) -> Observation:
        """Compare a guess with the number."""
        guess = _guess(message)
        self._guesses.append(guess)
        if guess == self._number:
            return _answer("Right.", terminated=True)
        hint = "It is higher." if guess < self._number else "It is lower."
        return _answer(hint, terminated=len(self._guesses) == self._limit)

    def save(self) -> bytes:
        """The guesses."""
        return json.dumps(self._guesses).encode()


class MyGameEnvironment(Environment):
    """Numbers that are to be found."""

    name = "my-game"

    def preload(self) -> None:
        """Load here what all episodes share: libraries, data, an index."""

    def splits(self) -> Mapping[str, Sequence[str]]:
        """20 tasks to train on and 5 to test on."""
        return {
            "train": [f"train-{number}" for number in range(20)],
            "test": [f"test-{number}" for number in range(5)],
        }

    def tools(self) -> str:
        """The description of the only action."""
        return f"A number, 1 to {HIGHEST}: you are told whether it is right, too low or too high."

    def open(self, task: Task) -> Episode:
        """Start a task; params: `limit`, the number of guesses."""
        return MyGameEpisode(number_of(task.id), _limit(task.params))

    def evaluate(self, task: Task, state: bytes, *, sparse: bool) -> float:
        """How close the last guess is, or with `sparse` whether it is right."""
        guesses = json.loads(state)
        if not guesses:
            return 0.0
        distance = abs(int(guesses[-1]) - number_of(task.id))
        return float(distance == 0) if sparse else 1.0 - distance / HIGHEST


def number_of(task_id: str) -> int:
    """The number of a task: always the same one."""
    return random.Random(task_id).randint(1, HIGHEST)  # noqa: S311 (no secret)


def _guess(message: Message) -> int:
    content = message.get("content")
    if not (isinstance(content, str) and content.strip().isdecimal()):
        raise InvalidAction(f"messages.content must be a number from 1 to {HIGHEST}")
    guess = int(content)
    if not 1 <= guess <= HIGHEST:
        raise InvalidAction(f"messages.content must be from 1 to {HIGHEST}, not {guess}")
    return guess


def _limit(params: Mapping[str, object]) -> int:
    unknown = sorted(set(params) - {"limit"})
    if unknown:
        raise InvalidAction(f"params.{unknown[0]} is not known; params.limit is")
    limit = params.get("limit", DEFAULT_LIMIT)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= HIGHEST:
        raise InvalidAction(f"params.limit must be a whole number from 1 to {HIGHEST}")
    return limit


def _answer(text: str, *, terminated: bool) -> Observation:
    return Observation([{"role": "user", "content": text}], terminated=terminated)
