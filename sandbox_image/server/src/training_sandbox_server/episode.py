"""One episode: whose turn it is, what it answered last, how it ends."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training_sandbox_server.child_process import manner
from training_sandbox_server.episode_processes import (
    FAILURES,
    EnvironmentFailedError,
    EpisodeProcesses,
)
from training_sandbox_server.episode_state import EpisodeState, refusal
from training_sandbox_server.errors import (
    EpisodeTerminatedError,
    EvaluationFailedError,
    FullError,
    InternalError,
    InvalidRequestError,
    SandboxError,
    StepDeadlineError,
)
from training_sandbox_server.logs import about
from training_sandbox_server.state_directory import remove_tree
from training_sandbox_server.step_ledger import ExecutedStep, StepLedger, fingerprint
from training_sandbox_server.zygote_client import ForkError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two creates the same: which episode, of which task, with which params."""

    episode_id: str
    task_id: str
    params: Mapping[str, object]


class Episode:
    """An episode from the start of its creation until nothing is left of it.

    One operation runs at a time; others wait in order of arrival. Its end waits for nobody: it
    kills what runs, and whoever waits is told why.

    Args:
        identity: Its id, task and params.
        processes: Its processes.
        directory: Its own; removed at its end.
        on_over: Called when the end begins; from then on calls are refused.
        on_gone: Called when no process and no directory are left.
    """

    def __init__(
        self,
        identity: Identity,
        processes: EpisodeProcesses,
        directory: Path,
        *,
        on_over: Callable[["Episode"], None],
        on_gone: Callable[["Episode"], None],
    ) -> None:
        self.identity = identity
        self.state = EpisodeState.OPENING
        self.ledger = StepLedger()
        self.initial_messages: list[object] = []
        self._processes = processes
        self._directory = directory
        self._on_over = on_over
        self._on_gone = on_gone
        self._turn = asyncio.Lock()
        self._rewards: dict[bool, float] = {}
        self._calls = 0
        self._used_at = time.monotonic()
        self._ending: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The episode's id."""
        return self.identity.episode_id

    @property
    def was_opened(self) -> bool:
        """Whether its create succeeded."""
        return bool(self.initial_messages)

    @property
    def idle_seconds(self) -> float:
        """Since the last call of this episode ended; 0.0 while one is in flight."""
        return 0.0 if self._calls else time.monotonic() - self._used_at

    @contextlib.contextmanager
    def in_use(self) -> Generator[None]:
        """A call of this episode: it does not expire meanwhile."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            self._used_at = time.monotonic()

    async def open(self) -> None:
        """Start the task in a process of its own; the episode is over when that fails.

        Raises:
            InvalidRequestError: The environment does not take the params.
            FullError: No process can be had now.
            StepDeadlineError: It takes too long.
            InternalError: The environment failed.
            EpisodeReleasedError: The episode was released meanwhile.
        """
        async with self._turn:
            try:
                self.initial_messages, player_exited = await self._processes.open()
            except InvalidRequestError as error:
                await self.end(EpisodeState.LOST, error.detail)
                raise
            except FAILURES as error:
                raise await self._failure(error, "opening the task") from error
            self._refuse_if_over()
            self._become(EpisodeState.RUNNING)
            player_exited.add_done_callback(self._on_player_exit)

    async def step(self, message: Mapping[str, object], step_index: int | None) -> ExecutedStep:
        """Execute an action, or answer a repeated one again.

        Raises:
            InvalidRequestError: The environment does not take the message; nothing was executed.
            OutOfOrderError: See `StepLedger.repeated`.
            EvaluationFailedError: The task terminated, but there is no reward.
            StepDeadlineError, EpisodeLostError, InternalError: The episode is lost.
            SandboxError: The episode is over.
        """
        action = fingerprint(message)
        async with self._turn:
            self._refuse_if_over()
            step = self.ledger.repeated(step_index, action)
            if step is None:
                step = await self._execute(message, action)
            if step.terminated and step.reward is None:
                await self._reward(sparse=False)
            return step

    async def evaluate(self, *, sparse: bool) -> float:
        """The reward for what the steps so far achieved.

        Raises:
            EvaluationFailedError: There is none; the episode goes on.
            SandboxError: The episode is over.
        """
        async with self._turn:
            self._refuse_if_over()
            return await self._reward(sparse=sparse)

    async def end(self, state: EpisodeState, why: str) -> None:
        """Kill the episode's processes and remove its directory; the first call decides why."""
        await asyncio.shield(self._begin_end(state, why))

    def _begin_end(self, state: EpisodeState, why: str) -> "asyncio.Task[None]":
        if self._ending is None:
            self._become(state)
            log.info(
                "episode over",
                extra=about(episode=self.id, state=state, steps=self.ledger.executed, why=why),
            )
            self._ending = asyncio.create_task(self._end(idle=not self._turn.locked()))
            self._on_over(self)
        return self._ending

    async def _end(self, *, idle: bool) -> None:
        if idle:
            await self._processes.stop_playing()
        await self._processes.end()
        await asyncio.to_thread(remove_tree, self._directory)
        self._on_gone(self)

    def _on_player_exit(self, exited: "asyncio.Future[int | None]") -> None:
        if self.state is EpisodeState.RUNNING:
            self._begin_end(EpisodeState.LOST, f"its process {manner(exited.result())}")

    async def _execute(self, message: Mapping[str, object], action: bytes) -> ExecutedStep:
        if self.state is EpisodeState.TERMINATED:
            raise EpisodeTerminatedError(f"the task of episode {self.id} is over; evaluate it")
        try:
            observed = await self._processes.step(self.ledger.executed, message)
        except FAILURES as error:
            raise await self._failure(error, "the step") from error
        self._refuse_if_over()
        step = ExecutedStep(action, observed.message, observed.terminated)
        self.ledger.record(step)
        self._rewards.clear()
        if step.terminated:
            self._become(EpisodeState.TERMINATED)
            await self._processes.stop_playing()
        return step

    async def _reward(self, *, sparse: bool) -> float:
        if sparse not in self._rewards:
            try:
                self._rewards[sparse] = await self._processes.evaluate(sparse=sparse)
            except FAILURES as error:
                self._refuse_if_over()
                log.warning("evaluation failed", extra=about(episode=self.id, why=_told(error)))
                raise EvaluationFailedError(
                    f"episode {self.id} could not be evaluated; the server's log says why"
                ) from error
            self._refuse_if_over()
        last = self.ledger.last
        if last is not None and last.terminated and not sparse:
            last.reward = self._rewards[sparse]
        return self._rewards[sparse]

    async def _failure(self, error: Exception, what: str) -> SandboxError:
        """The error that a failure of the playing process is told as; it ends the episode."""
        opening = self.state is EpisodeState.OPENING
        await self.end(EpisodeState.LOST, f"{what} failed: {_told(error)}")
        if self.state is not EpisodeState.LOST:
            return refusal(self.state, self.id)
        match error:
            case ForkError():
                return FullError(f"no process can be started now: {error}")
            case TimeoutError():
                return StepDeadlineError(f"{what} took too long; episode {self.id} was killed")
            case EnvironmentFailedError():
                return InternalError(f"the environment failed in {what}; the log says why")
            case _ if opening:
                return InternalError(f"the process of episode {self.id} ended in {what}")
            case _:
                return refusal(self.state, self.id)

    def _become(self, state: EpisodeState) -> None:
        if not self.state.may_become(state):
            raise RuntimeError(f"episode {self.id} cannot become {state}: it is {self.state}")
        self.state = state

    def _refuse_if_over(self) -> None:
        if self.state.is_over:
            raise refusal(self.state, self.id)


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
