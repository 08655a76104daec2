"""What an episode costs: told, and never a reason to fail."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from training_sandbox_conformance.installed import Example
from training_sandbox_conformance.outcomes import KitError
from training_sandbox_conformance.playing import Playing
from training_sandbox_conformance.served import Served
from training_sandbox_conformance.server_process import pss_mb

_LIVE = 16

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Costs:
    """Of an episode, one at a time.

    Attributes:
        times: Milliseconds of each create, step and evaluation, by its name.
        pss_mb: The memory that an episode adds, all but its last step played; None where the
            kernel does not tell.
    """

    times: dict[str, list[float]]
    pss_mb: float | None

    def median(self, call: str) -> float:
        """Milliseconds of a call, half of them took at most."""
        return statistics.median(self.times[call])


def measure(served: Served, examples: Sequence[Example]) -> Costs:
    """Play the right messages of examples, one by one, and then some at once."""
    times: dict[str, list[float]] = {"create": [], "step": [], "evaluate": []}
    for example in examples:
        _play(served, example, times)
    return Costs(times, _memory(served, examples))


def _play(served: Served, example: Example, times: dict[str, list[float]]) -> None:
    begun = _timed(times["create"], partial(served.create, example.task_id))
    for message in example.right:
        _timed(times["step"], partial(served.step, begun.id, message))
    _timed(times["evaluate"], partial(served.evaluate, begun.id, sparse=False))
    served.release(begun.id)


def _memory(served: Served, examples: Sequence[Example]) -> float | None:
    def live(number: int) -> Playing:
        example = examples[number % len(examples)]
        playing = Playing.begin(served, example.task_id, example.right)
        return playing.steps(len(example.right) - 1)

    try:
        before = pss_mb(served.process.processes())
        episodes = [live(number) for number in range(_LIVE)]
        after = pss_mb(served.process.processes())
    except KitError:
        return None
    served.release(*(episode.id for episode in episodes))
    return (after - before) / _LIVE


def _timed(samples: list[float], call: Callable[[], Result]) -> Result:
    began = time.perf_counter()
    result = call()
    samples.append((time.perf_counter() - began) * 1000)
    return result
