"""An environment for tests: an agent counts to the target of its task.

An action is `<command> <argument>`. What an episode saves is its total; the reward is the share of
the target that was reached, or with `sparse` 1.0 if it was reached exactly.

Environment variables: COUNTER_PRELOAD_SECONDS and COUNTER_PRELOAD_FAILS for the boot,
COUNTER_READABLE and COUNTER_TRUTH for a folder that episodes, or only evaluations, may read.
"""

import contextlib
import ctypes
import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

from training_sandbox_worker import branching
from training_sandbox_worker.environment import (
    Environment,
    Episode,
    InvalidAction,
    Message,
    Observation,
    Task,
)

TARGETS = {"count-to-10": 10, "count-to-3": 3, "broken": 1, "slow": 1, "dying": 1}
PARAMS = {"mark_on_close", "note"}


class CounterEpisode(Episode):
    def __init__(self, task: Task) -> None:
        self._task = task
        self._opened_by = os.getpid()
        self._total = 0
        self._saved: str | None = None
        self._seeds: list[int | None] = []
        self._in_fork: Callable[[], object] = lambda: None
        self._in_branches: Callable[[], object] = lambda: None
        self._on_the_way: Callable[[], object] = lambda: None
        self._forks_left = -1
        self._hoard: list[bytearray] = []
        self._commands: dict[str, Callable[[str], str]] = {
            "add": self._add,
            "sleep": self._sleep,
            "exit": lambda code: sys.exit(int(code)),
            "die": lambda code: os._exit(int(code)),
            "crash": lambda _: str(ctypes.string_at(0)),
            "raise": self._raise,
            "print": self._print,
            "length": lambda text: str(len(text)),
            "say": lambda size: "x" * int(size),
            "surrogate": lambda _: "\ud800",
            "random": lambda _: str(random.random()),
            "seeds": lambda _: " ".join(str(seed) for seed in self._seeds),
            "in-fork": self._act_in_fork,
            "in-branches": self._act_in_branches,
            "on-the-way": self._act_on_the_way,
            "forks-left": self._limit_forks,
            "pid": lambda _: str(os.getpid()),
            "parent": lambda _: str(os.getppid()),
            "opened-by": lambda _: str(self._opened_by),
            "cwd": lambda _: os.getcwd(),
            "read": lambda path: Path(path).read_text(),
            "write": self._write,
            "spawn": lambda seconds: self._spawn(seconds, new_session=False),
            "spawn-daemon": lambda seconds: self._spawn(seconds, new_session=True),
            "fork": self._fork,
            "fork-bomb": self._fork_bomb,
            "thread": self._thread,
            "hoard": self._fill,
            "descriptors": lambda _: " ".join(map(str, filter(_is_open, range(256)))),
            "close-descriptors": lambda _: str(os.closerange(3, 64)),
            "write-descriptors": self._write_descriptors,
            "spoil": self._spoil,
            "done": lambda _: "done",
        }

    def initial_messages(self) -> list[Message]:
        return [
            {"role": "system", "content": "Count."},
            {"role": "user", "content": f"Count to {TARGETS[self._task.id]}."},
        ]

    def step(self, message: Message) -> Observation:
        command, _, argument = _action(message).partition(" ")
        if command not in self._commands:
            raise InvalidAction(f"messages.content must begin with a command, not {command[:20]!r}")
        try:
            answer = self._commands[command](argument)
        except (MemoryError, OSError) as error:
            answer = type(error).__name__
        return Observation([{"role": "user", "content": answer}], terminated=command == "done")

    def save(self) -> bytes:
        return (str(self._total) if self._saved is None else self._saved).encode()

    def before_fork(self) -> None:
        self._forked_by = os.getpid()
        self._in_fork()

    def after_fork(self, seed: int | None) -> None:
        self._seeds.append(seed)
        if os.getpid() != self._forked_by:
            self._in_branches()

    def close(self) -> None:
        mark = self._task.params.get("mark_on_close")
        if mark is not None:
            Path(str(mark)).write_text(self._task.id)

    def _add(self, number: str) -> str:
        self._total += int(number)
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

    def _act_in_fork(self, action: str) -> str:
        command, _, argument = action.partition(" ")
        self._in_fork = lambda: self._commands[command](argument)
        return "agreed"

    def _act_in_branches(self, action: str) -> str:
        command, _, argument = action.partition(" ")
        self._in_branches = lambda: self._commands[command](argument)
        return "agreed"

    def _act_on_the_way(self, action: str) -> str:
        """What branches do before they ask for their channels."""
        command, _, argument = action.partition(" ")
        self._on_the_way = lambda: self._commands[command](argument)
        branching.os = SimpleNamespace(fork=self._fork_branch)
        return "agreed"

    def _limit_forks(self, number: str) -> str:
        """Let forks for branches fail after a number of them, as at the limit of a pod's pids."""
        self._forks_left = int(number)
        branching.os = SimpleNamespace(fork=self._fork_branch)
        return "agreed"

    def _fork_branch(self) -> int:
        if self._forks_left == 0:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self._forks_left -= 1
        pid = os.fork()
        if pid == 0:
            self._on_the_way()
        return pid

    def _write(self, name: str) -> str:
        Path(name).write_text("by agent code")
        return os.path.abspath(name)

    def _spawn(self, seconds: str, *, new_session: bool) -> str:
        process = subprocess.Popen(["sleep", seconds], start_new_session=new_session)
        return str(process.pid)

    def _fork_bomb(self, size: str) -> str:
        refused = 0
        for _ in range(int(size)):
            try:
                if os.fork() == 0:
                    os._exit(0)
            except PermissionError:
                refused += 1
        return str(refused)

    def _fork(self, seconds: str) -> str:
        pid = os.fork()
        if pid == 0:
            time.sleep(float(seconds))
            os._exit(0)
        return str(pid)

    def _thread(self, seconds: str) -> str:
        threading.Thread(target=time.sleep, args=(float(seconds),), daemon=True).start()
        return "started"

    def _fill(self, megabytes: str) -> str:
        self._hoard.append(bytearray(int(megabytes) << 20))
        return str(len(self._hoard))

    def _write_descriptors(self, text: str) -> str:
        for descriptor in range(3, 64):
            with contextlib.suppress(OSError):
                os.write(descriptor, text.encode())
        return "written"

    def _spoil(self, text: str) -> str:
        self._saved = text
        return "spoilt"


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

    def readable(self) -> Sequence[Path]:
        return _folder("COUNTER_READABLE")

    def truth(self) -> Sequence[Path]:
        return _folder("COUNTER_TRUTH")

    def open(self, task: Task) -> Episode:
        unknown = set(task.params) - PARAMS
        if unknown:
            raise InvalidAction(f"params.{min(unknown)} is not known; mark_on_close, note are")
        if task.id == "broken":
            raise RuntimeError("this task cannot be opened")
        if task.id == "slow":
            time.sleep(3600)
        if task.id == "dying":
            os.kill(os.getpid(), signal.SIGKILL)
        random.seed(task.id)
        return CounterEpisode(task)

    def evaluate(self, task: Task, state: bytes, *, sparse: bool) -> float:
        """Score the saved total; a state that names a file of the truth is the total in it."""
        total, target = state.decode(), TARGETS[task.id]
        if total == "slow":
            time.sleep(3600)
        if total == "die":
            os._exit(3)
        if total == "nan":
            return float("nan")
        for folder in self.truth():
            if (folder / total).exists():
                total = (folder / total).read_text()
        share = int(total) / target
        return float(share == 1.0) if sparse else min(share, 1.0)


def _is_open(descriptor: int) -> bool:
    """Whether a descriptor is one of something; all that is inherited is replaced by /dev/null."""
    try:
        return os.fstat(descriptor).st_rdev != os.stat("/dev/null").st_rdev
    except OSError:
        return False


def _folder(variable: str) -> Sequence[Path]:
    return [Path(os.environ[variable])] if variable in os.environ else []
