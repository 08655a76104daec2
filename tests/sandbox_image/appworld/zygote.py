"""Processes for these tests: a zygote, its templates, episodes and their branches, as in a sandbox.

Each is a program that answers requests on a connection of its own to the tests: a method's name and
arguments in, a result or the name and text of an exception out. Run as a program by `Zygote`.
"""

import gc
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any, NoReturn

from training_sandbox_appworld.environment import AppWorldEnvironment
from training_sandbox_worker.environment import Environment, Episode, Task
from training_sandbox_worker.jail import Jail, probe

Answer = dict[str, Any]


class RemoteError(Exception):
    """An exception of the other process: the name of its class, and its text."""


class Remote:
    """The tests' end of a process."""

    def __init__(self, listener: Listener, connection: Connection) -> None:
        self._listener = listener
        self._connection = connection

    def ask(self, *request: object) -> Any:
        self._connection.send(request)
        error, result = self._connection.recv()
        if error:
            raise RemoteError(error)
        return result

    def forked(self) -> Connection:
        """The connection of the process that was forked by the last request."""
        return self._listener.accept()

    def close(self) -> None:
        self._connection.close()


class Forker(Remote):
    """A process whose forks play and evaluate: the zygote or a template."""

    def open(
        self,
        task_id: str,
        params: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        *,
        jailed: bool = False,
    ) -> "RemoteEpisode":
        self.ask("open", task_id, params or {}, environ or {}, jailed)
        connection = self.forked()
        episode = RemoteEpisode(self._listener, connection, self, task_id)
        episode.messages = episode.ask("messages")
        return episode

    def evaluate(
        self, task_id: str, state: bytes, *, sparse: bool = False, jailed: bool = True
    ) -> float:
        self.ask("evaluate", task_id, state, sparse, jailed)
        evaluation = Remote(self._listener, self.forked())
        try:
            return evaluation.ask("score")
        finally:
            evaluation.close()

    def template(self, task_id: str) -> "Forker":
        self.ask("template", task_id)
        template = Forker(self._listener, self.forked())
        template.ask("be_template")
        return template


class Zygote(Forker):
    """The first process: starts the program, and asks it."""

    def __init__(
        self,
        root: Path,
        *,
        command: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="zygote-")
        address = str(Path(self._directory.name) / "socket")
        listener = Listener(address, family="AF_UNIX", backlog=16)
        self._process = subprocess.Popen(
            [*command, sys.executable, __file__, address],
            env={**os.environ, "APPWORLD_ROOT": str(root), **(environ or {})},
        )
        super().__init__(listener, listener.accept())
        self.hello: Answer = self.ask("hello")

    def close(self) -> None:
        super().close()
        self._process.wait()
        self._listener.close()
        self._directory.cleanup()


class RemoteEpisode(Remote):
    """An episode, or a branch of one."""

    def __init__(
        self, listener: Listener, connection: Connection, parent: Forker, task_id: str
    ) -> None:
        super().__init__(listener, connection)
        self.messages: list[Answer] = []
        self.terminated = False
        self._parent = parent
        self._task_id = task_id

    def send(self, message: Mapping[str, object]) -> str:
        """Step, and the content of the observation."""
        observation, self.terminated = self.ask("step", message)
        return observation["content"]

    def say(self, content: str) -> str:
        return self.send({"role": "assistant", "content": content})

    def run(self, *codes: str) -> list[str]:
        return [self.say(f"```python\n{code}\n```") for code in codes]

    def save(self) -> bytes:
        return self.ask("save")

    def evaluate(self, *, sparse: bool = False) -> float:
        return self._parent.evaluate(self._task_id, self.save(), sparse=sparse)

    def fork(self) -> "RemoteEpisode":
        self.ask("fork")
        return RemoteEpisode(self._listener, self.forked(), self._parent, self._task_id)


class _Program:
    """A process's own end; which of its methods can be asked for depends on what it is."""

    def __init__(self, environment: Environment, address: str) -> None:
        self._environment = environment
        self._address = address
        self._connection = Client(address, family="AF_UNIX")
        self._jails: dict[str, Jail] = {}
        self._jail: Jail | None = None
        self._task = Task("", {})
        self._episode: Episode | None = None
        self._random_state: Any = None
        self._to_score = (b"", False)

    def serve(self) -> None:
        """Answer requests until the tests end."""
        with suppress(EOFError):
            while True:
                name, *arguments = self._connection.recv()
                try:
                    result = (None, getattr(self, name)(*arguments))
                except Exception as error:  # noqa: BLE001 (the tests look at it)
                    result = (f"{type(error).__name__}: {error}", None)
                self._connection.send(result)

    # What the zygote is asked for first.

    def hello(self) -> Answer:
        self._environment.preload()
        gc.freeze()
        imported = [Path(entry) for entry in sys.path if entry and Path(entry).exists()]
        truth = self._environment.truth()
        for name, readable in (("episode", self._environment.readable()), ("evaluation", truth)):
            self._jails[name] = Jail(
                probe(), readable=[*imported, *readable], memory_bytes=1 << 30, gated=False
            )
        descriptors = [path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        return {
            "splits": self._environment.splits(),
            "tools": self._environment.tools(),
            "threads": threading.active_count(),
            "open_files": [str(path.readlink()) for path in descriptors],
            "system_exit": SystemExit.__name__,
        }

    # What it and templates are asked for: to fork.

    def open(
        self, task_id: str, params: dict[str, object], environ: dict[str, str], jailed: bool
    ) -> None:
        if self._fork():
            os.environ.update(environ)
            self._task = Task(task_id, params)
            self._jail = self._jails["episode"] if jailed else None
            self._serve_and_end()

    def template(self, task_id: str) -> None:
        if self._fork():
            self._task = Task(task_id, {})
            self._serve_and_end()

    def evaluate(self, task_id: str, state: bytes, sparse: bool, jailed: bool) -> None:
        if self._fork():
            self._task, self._to_score = Task(task_id, {}), (state, sparse)
            if jailed:
                self._jails["evaluation"].enter(keep=[self._connection.fileno()])
            self._serve_and_end()

    # What a template is asked for first.

    def be_template(self) -> None:
        self._episode = self._environment.open(self._task)
        self._random_state = random.getstate()
        gc.freeze()

    # What an evaluation is asked for.

    def score(self) -> float:
        state, sparse = self._to_score
        return self._environment.evaluate(self._task, state, sparse=sparse)

    # What an episode is asked for.

    def messages(self) -> list[Answer]:
        if self._episode is None:
            self._episode = self._environment.open(self._task)
        else:
            random.setstate(self._random_state)
        if self._jail is not None:
            self._jail.enter(keep=[self._connection.fileno()])
        return self._episode.initial_messages()

    def step(self, message: Answer) -> tuple[Answer, bool]:
        assert self._episode is not None
        observation = self._episode.step(message)
        (answer,) = observation.messages
        return answer, observation.terminated

    def save(self) -> bytes:
        assert self._episode is not None
        return self._episode.save()

    def fork(self) -> None:
        assert self._episode is not None
        self._episode.before_fork()
        random_state = random.getstate()
        forked = self._fork()
        random.setstate(random_state)
        self._episode.after_fork(None)
        if forked:
            self._serve_and_end()

    def _serve_and_end(self) -> NoReturn:
        try:
            self.serve()
        finally:
            os._exit(0)

    def _fork(self) -> bool:
        """Whether this is the new process, which has a connection of its own."""
        sys.stdout.flush()
        if os.fork() != 0:
            return False
        self._connection.close()
        self._connection = Client(self._address, family="AF_UNIX")
        return True


def main() -> None:
    program = _Program(AppWorldEnvironment(), sys.argv[1])
    program.serve()
    os._exit(0)


if __name__ == "__main__":
    main()
