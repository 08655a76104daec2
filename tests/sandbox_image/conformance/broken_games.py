"""A number game whose tasks break one promise each, and games that break one before any task."""

import mmap
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from number_game import NumberEpisode, NumberGame, say

from training_sandbox_worker.environment import Episode, Message, Observation, Task
from training_sandbox_worker.examples import Example

NUMBER = 7


class BrokenEpisode(NumberEpisode):
    """Plays right; the subclasses do not."""

    def __init__(self, page: mmap.mmap) -> None:
        super().__init__(NUMBER)
        self.page = page


class NeverEnds(BrokenEpisode):
    def step(self, message: Message) -> Observation:
        return Observation(super().step(message).messages, terminated=False)


class TellsTheTime(BrokenEpisode):
    def answer(self, guess: int) -> str:
        return f"{super().answer(guess)} It is {time.time_ns()}."


class TellsASet(BrokenEpisode):
    def answer(self, guess: int) -> str:
        return " ".join({f"{guess + number} is a number" for number in range(20)})


class SharesItsLastGuess(BrokenEpisode):
    """Whoever guessed last is written where all episodes see it."""

    def answer(self, guess: int) -> str:
        mine = os.getpid().to_bytes(4)
        before, self.page[:4] = self.page[:4], mine
        mixed = len(self.guesses) > 1 and before != mine
        return "Somebody else guessed." if mixed else super().answer(guess)


class CountsInSharedMemory(BrokenEpisode):
    """What a branch does is seen by the episode that it comes from."""

    own_page: mmap.mmap | None = None

    def answer(self, guess: int) -> str:
        if self.own_page is None:
            self.own_page = mmap.mmap(-1, 1)
        self.own_page[0] += 1
        return f"{super().answer(guess)} Guess {self.own_page[0]}."


class StartsAThread(BrokenEpisode):
    def answer(self, guess: int) -> str:
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        return super().answer(guess)


class CountsEvaluationsAsGuesses(BrokenEpisode):
    def save(self) -> bytes:
        state = super().save()
        self.guesses.append(0)
        return state


class FailsOnToolCalls(BrokenEpisode):
    def step(self, message: Message) -> Observation:
        for call in message.get("tool_calls") or []:
            return Observation([{"role": "user", "content": call["function"]["name"]}])
        return super().step(message)


class CountsBadInput(BrokenEpisode):
    def step(self, message: Message) -> Observation:
        if message.get("content") == "":
            self.guesses.append(0)
        return super().step(message)


class RefusesWithoutAName(BrokenEpisode):
    def step(self, message: Message) -> Observation:
        try:
            return super().step(message)
        except ValueError as error:
            raise type(error)("no") from error


class StartsAProcess(BrokenEpisode):
    def __init__(self, page: mmap.mmap) -> None:
        super().__init__(page)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])


EPISODES = {
    "right": BrokenEpisode,
    "rewards-anything": BrokenEpisode,
    "rewards-nothing": BrokenEpisode,
    "is-never-sparse": BrokenEpisode,
    "is-scored-by-the-clock": BrokenEpisode,
    "is-not-seeded": BrokenEpisode,
    "never-ends": NeverEnds,
    "tells-the-time": TellsTheTime,
    "tells-a-set": TellsASet,
    "shares-its-last-guess": SharesItsLastGuess,
    "counts-in-shared-memory": CountsInSharedMemory,
    "starts-a-thread": StartsAThread,
    "counts-evaluations-as-guesses": CountsEvaluationsAsGuesses,
    "fails-on-tool-calls": FailsOnToolCalls,
    "counts-bad-input": CountsBadInput,
    "refuses-without-a-name": RefusesWithoutAName,
    "starts-a-process": StartsAProcess,
}


class BrokenGame(NumberGame):
    """It has no tools, either, and its answers are where its code is imported from."""

    name = "broken-game"

    def preload(self) -> None:
        self._page = mmap.mmap(-1, 4)

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {"train": list(EPISODES)}

    def tools(self) -> str:
        return " "

    def truth(self) -> Sequence[Path]:
        return [Path(__file__)]

    def open(self, task: Task) -> Episode:
        if task.id != "is-not-seeded":
            random.seed(task.id)
        return EPISODES[task.id](self._page)

    def evaluate(self, task: Task, state: bytes, *, sparse: bool) -> float:
        match task.id:
            case "rewards-anything":
                return 1.0
            case "rewards-nothing":
                return 0.0
            case "is-never-sparse":
                return self.score(NUMBER, state, sparse=False)
            case "is-scored-by-the-clock":
                return 0.0 if sparse else time.time_ns() % 1_000_003 / 1_000_003
            case _:
                return self.score(NUMBER, state, sparse=sparse)


def example_of(task_id: str) -> Example:
    return Example(task_id, say("1", "15", str(NUMBER), "stop"), say("1", str(NUMBER + 1), "stop"))


def broken_examples() -> list[Example]:
    return [example_of(task_id) for task_id in EPISODES]


class LeavesAThread(NumberGame):
    def preload(self) -> None:
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()


class StartsOnce(NumberGame):
    """The kit starts the second server with another order of hashes."""

    def preload(self) -> None:
        if os.environ.get("PYTHONHASHSEED") == "2":
            raise RuntimeError("started before")


def no_examples() -> list[Example]:
    return []
