"""An environment for tests: an agent counts to the target of its task.

An action is `<command> <argument>`. Its state is one number in a file; the reward is the share of
the target that was reached, or with `sparse` 1.0 if it was reached exactly.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from training_sandbox_worker.environment import (
    Environment,
    Episode,
    EpisodeContext,
    InvalidAction,
    Message,
    Observation,
)

TARGETS = {"count-to-10": 10, "count-to-3": 3, "broken": 1, "slow": 1, "dying": 1}


class CounterEpisode(Episode):
    def __init__(self, context: EpisodeContext) -> None:
        self._context = context
        self._total = 0
        self._hoard: list[bytearray] = []
        self._commands: dict[str, Callable[[str], str]] = {
            "add": self._add,
            "sleep": self._sleep,
            "exit": lambda code: sys.exit(int(code)),
            "die": lambda code: os._exit(int(code)),
            "kill": lambda number: str(os.kill(os.getpid(), int(number))),
            "raise": self._raise,
            "print": self._print,
            "length": lambda text: str(len(text)),
            "say": lambda size: "x" * int(size),
            "surrogate": lambda _: "\ud800",
            "pid": lambda _: str(os.getpid()),
            "where": lambda _: str(context.directory),
            "cwd": lambda _: str(os.getcwd()),
            "write": self._write,
            "lock": lambda name: str(os.mkdir(name) or os.chmod(name, 0)),
            "spawn": lambda seconds: self._spawn(seconds, new_session=False),
            "spawn-daemon": lambda seconds: self._spawn(seconds, new_session=True),
            "hoard": self._fill,
            "descriptors": lambda _: " ".join(sorted(os.listdir("/proc/self/fd"), key=int)),
            "close-descriptors": lambda _: str(os.closerange(3, 64)),
            "write-descriptors": self._write_descriptors,
            "spoil": lambda text: str((context.directory / "total").write_text(text)),
            "done": lambda _: "done",
        }
        self._save()

    def initial_messages(self) -> list[Message]:
        return [
            {"role": "system", "content": "Count."},
            {"role": "user", "content": f"Count to {TARGETS[self._context.task_id]}."},
        ]

    def step(self, message: Message) -> Observation:
        command, _, argument = _action(message).partition(" ")
        if command not in self._commands:
            raise InvalidAction(f"messages.content must begin with a command, not {command[:20]!r}")
        try:
            answer = self._commands[command](argument)
        except MemoryError:
            answer = "MemoryError"
        return Observation([{"role": "user", "content": answer}], terminated=command == "done")

    def close(self) -> None:
        mark = self._context.params.get("mark_on_close")
        if mark is not None:
            with open(str(mark), "w") as file:
                file.write(self._context.episode_id)

    def _save(self) -> None:
        (self._context.directory / "total").write_text(str(self._total))

    def _add(self, number: str) -> str:
        self._total += int(number)
        self._save()
        return str(self._total)

    def _sleep(self, seconds: str) -> str:
        time.sleep(float(seconds))
        return "slept"

    def _raise(self, text: str) -> str:
        raise RuntimeError(text)

    def _print(self, size: str) -> str:
        os.write(1, b"flood of an agent\n" * int(size))
        os.write(2, b"flood of an agent\n" * int(size))
        return "printed"

    def _write(self, name: str) -> str:
        with open(name, "w") as file:
            file.write("by agent code")
        return os.path.abspath(name)

    def _spawn(self, seconds: str, *, new_session: bool) -> str:
        process = subprocess.Popen(["sleep", seconds], start_new_session=new_session)
        return str(process.pid)

    def _fill(self, megabytes: str) -> str:
        self._hoard.append(bytearray(int(megabytes) << 20))
        return str(len(self._hoard))

    def _write_descriptors(self, text: str) -> str:
        for descriptor in range(3, 64):
            with contextlib.suppress(OSError):
                os.write(descriptor, text.encode())
        return "written"


def _action(message: Message) -> str:
    match message:
        case {"tool_calls": [{"arguments": str(action)}]} | {"content": str(action)}:
            return action
    raise InvalidAction("messages.content or messages.tool_calls carries the action")


class CounterEnvironment(Environment):
    name = "counter"

    def preload(self) -> None:
        time.sleep(float(os.environ.get("COUNTER_PRELOAD_SECONDS", "0")))
        if os.environ.get("COUNTER_PRELOAD_FAILS"):
            raise RuntimeError("the counter's data is missing")

    def splits(self) -> Mapping[str, Sequence[str]]:
        return {"train": list(TARGETS), "dev": ["count-to-3"]}

    def tools(self) -> str:
        return "add N: add N to the total. done: end the task."

    def open(self, context: EpisodeContext) -> Episode:
        unknown = set(context.params) - {"mark_on_close", "note"}
        if unknown:
            raise InvalidAction(f"params.{min(unknown)} is not known; mark_on_close, note are")
        if context.task_id == "broken":
            raise RuntimeError("this task cannot be opened")
        if context.task_id == "slow":
            time.sleep(3600)
        if context.task_id == "dying":
            os.kill(os.getpid(), signal.SIGKILL)
        return CounterEpisode(context)

    def evaluate(self, context: EpisodeContext, *, sparse: bool) -> float:
        total, target = (context.directory / "total").read_text(), TARGETS[context.task_id]
        if total == "slow":
            time.sleep(3600)
        if total == "die":
            os._exit(3)
        if total == "nan":
            return float("nan")
        share = int(total) / target
        return float(share == 1.0) if sparse else min(share, 1.0)
