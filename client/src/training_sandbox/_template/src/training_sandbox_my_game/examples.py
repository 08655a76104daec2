"""A right and a wrong way to play each task, for the conformance kit and for benchmarks."""

from collections.abc import Iterable, Iterator

from training_sandbox_my_game.environment import HIGHEST, MyGameEnvironment, number_of
from training_sandbox_worker.environment import Message
from training_sandbox_worker.examples import Example


def examples() -> list[Example]:
    """An example of every task."""
    splits = MyGameEnvironment().splits().values()
    return [
        Example(task_id, right=_say(_halve(number_of(task_id))), wrong=_say(_miss(task_id)))
        for task_ids in splits
        for task_id in task_ids
    ]


def _halve(number: int) -> Iterator[int]:
    """Guess the middle of what is left, until it is the number."""
    low, high = 1, HIGHEST
    while True:
        middle = (low + high) // 2
        yield middle
        if middle == number:
            return
        low, high = (middle + 1, high) if middle < number else (low, middle - 1)


def _miss(task_id: str) -> Iterator[int]:
    """Guess beside the number, on both sides where there are two."""
    number = number_of(task_id)
    return (guess for guess in (number - 1, number + 1) if 1 <= guess <= HIGHEST)


def _say(guesses: Iterable[int]) -> list[Message]:
    return [{"role": "assistant", "content": str(guess)} for guess in guesses]
