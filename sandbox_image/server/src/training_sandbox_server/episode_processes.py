"""The processes of one episode: the one that plays it, and evaluations beside it."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from training_sandbox_server.child_process import ChildProcess, ProcessGoneError
from training_sandbox_server.errors import ForkUnsupportedError, InvalidRequestError
from training_sandbox_server.forker import ForkedProcess, ForkError
from training_sandbox_server.template import Template
from training_sandbox_server.templates import Templates
from training_sandbox_server.zygote_client import PermittedFork, Zygote
from training_sandbox_worker import wire


class EnvironmentFailedError(Exception):
    """The environment's code raised; the text is the reason in one line, for the log."""


FAILURES = (TimeoutError, ForkError, ProcessGoneError, EnvironmentFailedError, wire.WireError)
"""What can go wrong with a process: no answer in time, none can be had, none will come, it raised.
"""


_CARRY_WHAT_THE_CALLER_SENT = ("opened", "observation")
"""Only these answers can be about the caller's mistake."""

_BRANCH_COMES_SECONDS = 5.0
"""After the one before it, once its parent has forked it. One that died on its way tells nobody."""

_MOST_TOLD = 1000
"""Characters of a reason: agent code can write frames of 16 MiB in its process's place."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The answer to one action.

    Attributes:
        message: The observation.
        truncated: Whether its end was cut off.
        terminated: Whether the task ended.
    """

    message: dict[str, object]
    truncated: bool
    terminated: bool


class EpisodeProcesses:
    """Starts, asks and ends the processes of an episode.

    The methods raise one of `FAILURES`, or `InvalidRequestError` for what the environment does not
    take.

    Args:
        zygote: Forks them where there is no template of the task.
        templates: The templates.
        task: The task, as the first frame of a process carries it.
        seconds: The deadline of each answer.
    """

    def __init__(
        self, zygote: Zygote, templates: Templates, task: Mapping[str, object], seconds: float
    ) -> None:
        self._zygote = zygote
        self._templates = templates
        self._task = task
        self._seconds = seconds
        self._player: ChildProcess | None = None
        self._saved: str | None = None
        self._running: set[ChildProcess] = set()
        self._ended = False

    @property
    def player_exited(self) -> "asyncio.Future[int | None]":
        """The exit code of the playing process, which was started."""
        if self._player is None:
            raise ProcessGoneError("nothing is being played")
        return self._player.exited

    @property
    def pids(self) -> Sequence[int]:
        """The processes that live."""
        return [process.pid for process in self._running if not process.exited.done()]

    async def open(self) -> list[object]:
        """Start playing the task; returns the initial messages."""
        self._player = await self._fork(self._templates.find(self._task))
        answer = await self._ask(self._player, {"kind": "open", "task": self._task}, "opened")
        return cast("list[object]", wire.field(answer, "messages", list))

    async def step(self, index: int, message: Mapping[str, object]) -> Observed:
        """Execute one action."""
        frame: wire.Frame = {"kind": "step", "index": index, "message": message}
        answer = await self._ask(self._playing(), frame, "observation")
        if answer.get("index") != index:
            raise ProcessGoneError("the answer is to another step")
        terminated = wire.field(answer, "terminated", bool)
        if terminated and "state" in answer:
            self._saved = wire.field(answer, "state", str)
        return Observed(
            message=wire.mapping(answer, "message"),
            truncated=wire.field(answer, "truncated", bool),
            terminated=terminated,
        )

    async def fork(self, seeds: Sequence[int | None]) -> list["EpisodeProcesses"]:
        """Branches of the playing process, one for each seed; all or none.

        Args:
            seeds: Where a branch's random numbers go on from; None: as in the original.

        Raises:
            ForkUnsupportedError: It has threads; the playing process goes on as before.
            ForkError: There are none now; the playing process goes on as before. After all else of
                `FAILURES` its state is not known, and it should be ended.
        """
        player = self._playing()
        async with asyncio.timeout(self._seconds):
            permitted = await self._zygote.branch(player.pid, len(seeds))
            try:
                await _ask_to_fork(player, permitted)
                return await player.while_it_lives(self._forks(player, permitted, seeds))
            except BaseException:
                permitted.abandon()
                raise

    async def stop_playing(self) -> None:
        """Keep what evaluation needs, let the environment close the episode, end its process."""
        if self._player is None:
            return
        # It comes with the last observation unless it is large.
        if self._saved is None:
            with contextlib.suppress(*FAILURES):
                self._saved = await self._save(self._player)
        await self.close()

    async def evaluate(self, *, sparse: bool) -> float:
        """The reward, by a process of its own, from what the episode's last step left."""
        state = self._saved if self._player is None else await self._save(self._player)
        if state is None:
            raise ProcessGoneError("the episode's state was not saved")
        process = await self._fork(self._templates.find_ready(self._task))
        try:
            frame: wire.Frame = {"kind": "evaluate", "task": self._task, "state": state}
            answer = await self._ask(process, {**frame, "sparse": sparse}, "reward")
            reward = wire.field(answer, "reward", float)
            await process.let_end()
            return reward
        finally:
            await process.end()
            self._running.discard(process)

    async def close(self) -> None:
        """Let the environment close the episode, and end its process; nothing is kept."""
        player, self._player = self._player, None
        if player is not None:
            await player.close()
            self._running.discard(player)

    async def end(self) -> None:
        """Kill all of them, now and for good, and wait until they are gone."""
        self._ended = True
        await asyncio.gather(*(process.end() for process in self._running))
        self._running.clear()

    def _playing(self) -> ChildProcess:
        if self._player is None:
            raise ProcessGoneError("nothing is being played")
        return self._player

    async def _save(self, player: ChildProcess) -> str:
        try:
            return wire.field(await self._ask(player, {"kind": "save"}, "saved"), "state", str)
        except TimeoutError:
            # Its answer would come as that to another question.
            await player.end()
            raise

    async def _forks(
        self, player: ChildProcess, permitted: PermittedFork, seeds: Sequence[int | None]
    ) -> list["EpisodeProcesses"]:
        _require_forked(await player.hear(self._seconds))
        return [
            await self._branch(branch, seed)
            for branch, seed in zip(permitted.branches, seeds, strict=True)
        ]

    async def _branch(
        self, coming: "asyncio.Task[ChildProcess]", seed: int | None
    ) -> "EpisodeProcesses":
        branch = EpisodeProcesses(self._zygote, self._templates, self._task, self._seconds)
        try:
            process = await asyncio.wait_for(coming, _BRANCH_COMES_SECONDS)
        except TimeoutError as error:
            raise ForkError("a branch ended before it began") from error
        branch._player = process
        branch._running.add(process)
        await process.tell({"kind": "seed", "seed": seed})
        _require(await process.hear(self._seconds), "forked")
        return branch

    async def _fork(self, template: Template | None) -> ChildProcess:
        async with asyncio.timeout(self._seconds):
            process = await ChildProcess.of(await self._forked(template))
        self._running.add(process)
        if self._ended:
            await process.end()
            raise ProcessGoneError("the episode ended before its process started")
        return process

    async def _forked(self, template: Template | None) -> ForkedProcess:
        if template is not None:
            with contextlib.suppress(ForkError):
                return await template.fork()
        return await self._zygote.fork()

    async def _ask(self, process: ChildProcess, frame: wire.Frame, kind: str) -> wire.Frame:
        try:
            answer = await process.request(frame, self._seconds)
        except wire.WireError as error:
            if kind not in _CARRY_WHAT_THE_CALLER_SENT:
                raise
            raise InvalidRequestError(str(error)) from error
        return _require(answer, kind)


async def _ask_to_fork(player: ChildProcess, permitted: PermittedFork) -> None:
    try:
        await player.tell({"kind": "fork", "count": len(permitted.branches)})
        await player.move_to(permitted.channel)
    except BaseException:
        permitted.channel.close()
        raise


def _require_forked(answer: wire.Frame) -> None:
    """Raise unless the playing process has forked all its branches."""
    if answer.get("kind") == "refused":
        raise ForkUnsupportedError("this episode cannot be forked while it has threads of its own")
    try:
        _require(answer, "forked")
    except EnvironmentFailedError as error:
        # It says so itself, on its new channel: it only has fewer branches than it was to have.
        raise ForkError(str(error)) from error


def _require(answer: wire.Frame, kind: str) -> wire.Frame:
    """The answer, if it is of the kind that was asked for."""
    match answer:
        case {"kind": "invalid", "detail": str(detail)} if kind in _CARRY_WHAT_THE_CALLER_SENT:
            raise InvalidRequestError(detail[:_MOST_TOLD])
        case {"kind": "failed", "reason": str(reason)}:
            raise EnvironmentFailedError(reason[:_MOST_TOLD])
        case {"kind": answered} if answered == kind:
            return answer
        case {"kind": str(answered)}:
            raise ProcessGoneError(f"the process answered {answered[:_MOST_TOLD]!r}")
        case _:
            raise ProcessGoneError("the process gave an answer of no kind")
