"""The processes of one episode: the one that plays it, and evaluations beside it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from training_sandbox_server.child_process import ChildProcess, ProcessGoneError
from training_sandbox_server.errors import InvalidRequestError
from training_sandbox_server.zygote_client import ForkError, Zygote
from training_sandbox_worker import wire


class EnvironmentFailedError(Exception):
    """The environment's code raised; the text is the reason in one line, for the log."""


FAILURES = (TimeoutError, ForkError, ProcessGoneError, EnvironmentFailedError, wire.WireError)
"""What can go wrong with a process: no answer in time, none can be had, none will come, it raised.
"""


@dataclass(frozen=True, slots=True)
class Observed:
    """The answer to one action."""

    message: dict[str, object]
    terminated: bool


class EpisodeProcesses:
    """Starts, asks and ends the processes of an episode.

    The methods raise one of `FAILURES`, or `InvalidRequestError` for what the environment does not
    take.

    Args:
        zygote: Forks them.
        context: The episode's context, as `training_sandbox_worker.child` reads it.
        seconds: The deadline of each answer.
    """

    def __init__(self, zygote: Zygote, context: wire.Frame, seconds: float) -> None:
        self._zygote = zygote
        self._context = context
        self._seconds = seconds
        self._player: ChildProcess | None = None
        self._running: set[ChildProcess] = set()
        self._ended = False

    async def open(self) -> tuple[list[object], "asyncio.Future[int | None]"]:
        """Start playing the task.

        Returns:
            The initial messages, and the future of the exit code of the playing process.
        """
        self._player = await self._fork()
        answer = await self._ask(self._player, {"kind": "open", "context": self._context}, "opened")
        return cast("list[object]", wire.field(answer, "messages", list)), self._player.exited

    async def step(self, index: int, message: Mapping[str, object]) -> Observed:
        """Execute one action."""
        if self._player is None:
            raise ProcessGoneError("nothing is being played")
        frame: wire.Frame = {"kind": "step", "index": index, "message": message}
        answer = await self._ask(self._player, frame, "observation")
        if answer.get("index") != index:
            raise ProcessGoneError("the answer is to another step")
        return Observed(
            message=wire.mapping(answer, "message"),
            terminated=wire.field(answer, "terminated", bool),
        )

    async def stop_playing(self) -> None:
        """Let the environment close the episode, and end its process."""
        if self._player is not None:
            await self._player.close()
            self._running.discard(self._player)
            self._player = None

    async def evaluate(self, *, sparse: bool) -> float:
        """The reward, by a process of its own, from what the episode's last step left."""
        process = await self._fork()
        try:
            frame: wire.Frame = {"kind": "evaluate", "context": self._context, "sparse": sparse}
            return wire.field(await self._ask(process, frame, "reward"), "reward", float)
        finally:
            await process.end()
            self._running.discard(process)

    async def end(self) -> None:
        """Kill all of them, now and for good, and wait until they are gone."""
        self._ended = True
        await asyncio.gather(*(process.end() for process in self._running))
        self._running.clear()

    async def _fork(self) -> ChildProcess:
        async with asyncio.timeout(self._seconds):
            process = await self._zygote.fork()
        self._running.add(process)
        if self._ended:
            await process.end()
            raise ProcessGoneError("the episode ended before its process started")
        return process

    async def _ask(self, process: ChildProcess, frame: wire.Frame, kind: str) -> wire.Frame:
        try:
            answer = await process.request(frame, self._seconds)
        except wire.WireError as error:
            raise InvalidRequestError(str(error)) from error
        match answer:
            case {"kind": "invalid", "detail": str(detail)}:
                raise InvalidRequestError(detail)
            case {"kind": "failed", "reason": str(reason)}:
                raise EnvironmentFailedError(reason)
            case {"kind": answered} if answered == kind:
                return answer
            case _:
                raise ProcessGoneError(f"the process answered {answer.get('kind')!r}")


def episode_context(
    episode_id: str, task_id: str, params: Mapping[str, object], directory: Path
) -> wire.Frame:
    """An `EpisodeContext` as the first frame of a process carries it."""
    return {
        "episode_id": episode_id,
        "task_id": task_id,
        "params": params,
        "directory": str(directory),
    }
