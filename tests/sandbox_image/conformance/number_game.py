"""A good environment for the tests of the kit: find a number by higher and lower.

What an episode saves is its guesses; the reward is 1 for the number and half for one beside it.
"""

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
from training_sandbox_worker.examples import Example

NUMBERS = {"find-3": 3, "find-7": 7, "find-12": 12}


class NumberEpisode(Episode):
    def __init__(self, number: int) -> None:
        self.number = number
        self.guesses: list[int] = []

    def initial_messages(self) -> list[Message]:
        return [
            {"role": "system", "content": "Find the number. Say stop when you have it."},
            {"role": "user", "content": f"It is below {random.randint(20, 10**9)}."},
        ]

    def step(self, message: Message) -> Observation:
        text = message.get("content")
        if text == "stop":
            return Observation([{"role": "user", "content": "Stopped."}], terminated=True)
        if not isinstance(text, str) or not text.isdecimal():
            raise InvalidAction("messages.content must be a number, or stop")
        self.guesses.append(int(text))
        return Observation([{"role": "user", "content": self.answer(int(text))}])

    def answer(self, guess: int) -> str:
        if guess == self.number:
            return f"Right, at guess {len(self.guesses)}."
        return "Higher." if guess < self.number else "Lower."

    def save(self) -> bytes:
        return " ".join(map(str, self.guesses)).encode()


class NumberGame(Environment):
    name = "number-game"

    def preload(self) -> None:
        pass

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {"train": ["find-3", "find-7"], "dev": ["find-12"]}

    def tools(self) -> str:
        return "A number: guess it. stop: end the task."

    def open(self, task: Task) -> Episode:
        if task.params:
            raise InvalidAction(f"params.{min(task.params)} is not known; there are none")
        random.seed(task.id)
        return NumberEpisode(NUMBERS[task.id])

    def evaluate(self, task: Task, state: bytes, *, sparse: bool) -> float:
        return self.score(NUMBERS[task.id], state, sparse=sparse)

    def score(self, number: int, state: bytes, *, sparse: bool) -> float:
        guesses = state.decode().split()
        last = int(guesses[-1]) if guesses else -9
        share = {0: 1.0, 1: 0.5}.get(abs(last - number), 0.0)
        return float(share == 1.0) if sparse else share


def examples() -> list[Example]:
    return [
        Example(task_id, say("1", "15", str(number), "stop"), say("1", str(number + 1), "stop"))
        for task_id, number in NUMBERS.items()
    ]


def say(*texts: str) -> list[Message]:
    return [{"role": "assistant", "content": text} for text in texts]
