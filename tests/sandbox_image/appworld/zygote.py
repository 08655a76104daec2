"""A zygote for these tests: preloads the environment, then forks a process for each request.

Run as a program by `Zygote`, which is the tests' end of it. Between them are the pipes of
`multiprocessing.connection`: a request is a method's name and its arguments, an answer is a result
or the name and text of an exception.
"""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from training_sandbox_appworld.environment import AppWorldEnvironment
from training_sandbox_worker.environment import Environment, Episode, EpisodeContext


class RemoteError(Exception):
    """An exception of the other process: the name of its class, and its text."""


class Zygote:
    """The tests' end: starts the program, and asks it."""

    def __init__(
        self,
        root: Path,
        *,
        command: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        ours, theirs = Pipe()
        self._process = subprocess.Popen(
            [*command, sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "APPWORLD_ROOT": str(root), **(environ or {})},
        )
        theirs.close()
        self._connection = ours
        self.hello: dict[str, Any] = _answer(ours)

    def open(
        self,
        directory: Path,
        task_id: str,
        params: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> "RemoteEpisode":
        episode, messages = self._ask("open", directory, task_id, params or {}, environ or {})
        return RemoteEpisode(self, episode, messages, directory, task_id)

    def step(self, episode: int, message: Mapping[str, object]) -> tuple[dict[str, Any], bool]:
        return self._ask("step", episode, message)

    def evaluate(self, directory: Path, task_id: str, *, sparse: bool = False) -> float:
        return self._ask("evaluate", directory, task_id, sparse)

    def close(self) -> None:
        self._connection.close()
        self._process.wait()

    def _ask(self, *request: object) -> Any:
        self._connection.send(request)
        return _answer(self._connection)


class RemoteEpisode:
    """An episode in a process of its own."""

    def __init__(
        self,
        zygote: Zygote,
        number: int,
        messages: list[dict[str, Any]],
        directory: Path,
        task_id: str,
    ) -> None:
        self.messages = messages
        self.directory = directory
        self.terminated = False
        self._zygote = zygote
        self._number = number
        self._task_id = task_id

    def send(self, message: Mapping[str, object]) -> str:
        """Step, and the content of the observation."""
        observation, self.terminated = self._zygote.step(self._number, message)
        return observation["content"]

    def say(self, content: str) -> str:
        return self.send({"role": "assistant", "content": content})

    def run(self, *codes: str) -> list[str]:
        return [self.say(f"```python\n{code}\n```") for code in codes]

    def evaluate(self, *, sparse: bool = False) -> float:
        return self._zygote.evaluate(self.directory, self._task_id, sparse=sparse)


def _answer(connection: Connection) -> Any:
    error, result = connection.recv()
    if error:
        raise RemoteError(error)
    return result


def _forked(serve: Callable[[Connection], None]) -> Connection:
    """Run `serve` in a forked process; the parent's end of a pipe to it."""
    ours, theirs = Pipe()
    if os.fork() == 0:
        ours.close()
        try:
            serve(theirs)
        finally:
            os._exit(0)
    theirs.close()
    return ours


def _reply(connection: Connection, act: Callable[[], object]) -> None:
    try:
        connection.send((None, act()))
    except Exception as error:  # noqa: BLE001 (the tests look at it)
        connection.send((f"{type(error).__name__}: {error}", None))


class _Program:
    """The zygote's own end."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._episodes: list[Connection] = []

    def open(
        self,
        directory: Path,
        task_id: str,
        params: Mapping[str, object],
        environ: Mapping[str, str],
    ) -> tuple[int, object]:
        context = EpisodeContext("episode", task_id, params, directory)

        def serve(connection: Connection) -> None:
            os.environ.update(environ)
            episodes: list[Episode] = []

            def start() -> object:
                episodes.append(self._environment.open(context))
                return episodes[0].initial_messages()

            def step(message: dict[str, object]) -> object:
                observation = episodes[0].step(message)
                (answer,) = observation.messages
                return answer, observation.terminated

            _reply(connection, start)
            while True:
                message = connection.recv()
                _reply(connection, lambda message=message: step(message))

        connection = _forked(serve)
        messages = _answer(connection)
        self._episodes.append(connection)
        return len(self._episodes) - 1, messages

    def step(self, episode: int, message: Mapping[str, object]) -> object:
        self._episodes[episode].send(message)
        return _answer(self._episodes[episode])

    def evaluate(self, directory: Path, task_id: str, sparse: bool) -> float:
        context = EpisodeContext("episode", task_id, {}, directory)

        def serve(connection: Connection) -> None:
            _reply(connection, lambda: self._environment.evaluate(context, sparse=sparse))

        return _answer(_forked(serve))


def _hello(environment: Environment) -> dict[str, object]:
    environment.preload()
    gc.freeze()
    descriptors = list(Path("/proc/self/fd").iterdir())
    return {
        "splits": environment.splits(),
        "tools": environment.tools(),
        "threads": threading.active_count(),
        "open_files": [str(path.readlink()) for path in descriptors if path.is_symlink()],
        "system_exit": SystemExit.__name__,
    }


def main() -> None:
    connection = Connection(int(sys.argv[1]))
    environment = AppWorldEnvironment()
    program = _Program(environment)
    _reply(connection, lambda: _hello(environment))
    while True:
        try:
            name, *arguments = connection.recv()
        except EOFError:
            return
        _reply(connection, lambda: getattr(program, name)(*arguments))  # noqa: B023


if __name__ == "__main__":
    main()
