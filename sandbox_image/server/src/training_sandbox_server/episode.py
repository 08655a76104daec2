"""One episode: whose turn it is, what it answered last, how it ends."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

from training_sandbox_server.child_process import ProcessGoneError, manner
from training_sandbox_server.episode_identity import Identity
from training_sandbox_server.episode_processes import FAILURES, EpisodeProcesses, Observed
from training_sandbox_server.episode_state import EpisodeState, Loss, refusal
from training_sandbox_server.errors import (
    EpisodeTerminatedError,
    EvaluationFailedError,
    InvalidRequestError,
    SandboxError,
)
from training_sandbox_server.forker import ForkError
from training_sandbox_server.logs import about
from training_sandbox_server.process_failures import opening_failure, playing_failure, told
from training_sandbox_server.step_ledger import ExecutedStep, StepLedger, fingerprint
from training_sandbox_server.strict_json import encode, refuse_deep_nesting
from training_sandbox_server.trajectory import Excerpt, Trajectory
from training_sandbox_worker.observation import MAX_CONTENT_BYTES

_SEED_BITS = 63
_FORKED_AT_ONCE = 128
"""The kernel passes 253 descriptors in one message, and each branch needs one."""

_MOST_CHARACTERS = MAX_CONTENT_BYTES + 128
_MOST_BYTES = 8 * MAX_CONTENT_BYTES
"""The content is cut in the process, with a note; control characters take six bytes in JSON."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a branch takes over from its parent, beside the copy of the process."""

    initial_messages: list[object]
    ledger: StepLedger
    records: Excerpt


class Episode:
    """An episode from the start of its creation until nothing is left of it.

    One operation runs at a time; others wait in order of arrival. Its end waits for nobody: it
    kills what runs, and whoever waits is told why.

    Attributes:
        identity: Its id, task, params and origin.
        life: Tells it from other episodes that had or will have its id.
        initial_messages: What the task starts with.
        first_index: The index of its first step: of a branch, the parent's next one.
        first_state: The messages before that step.
        ledger: Its steps.
        trajectory: What happened in it.
        loss: Why it was lost, if there is a reason that its callers are told.

    Args:
        identity: See above.
        trajectory: An empty one.
        on_step: Called for every step that was executed.
        on_over: Called when the end begins; from then on calls are refused.
        on_gone: Called when no process and no file are left.
    """

    def __init__(
        self,
        identity: Identity,
        trajectory: Trajectory,
        *,
        on_step: Callable[[], None],
        on_over: Callable[["Episode"], None],
        on_gone: Callable[["Episode"], None],
    ) -> None:
        self.identity = identity
        self.life = object()
        self.state = EpisodeState.OPENING
        self.initial_messages: list[object] = []
        self.first_index = 0
        self.first_state: list[object] = []
        self.ledger = StepLedger()
        self.trajectory = trajectory
        self.loss: Loss | None = None
        self._processes: EpisodeProcesses | None = None
        self._on_step = on_step
        self._on_over = on_over
        self._on_gone = on_gone
        self._turn = asyncio.Lock()
        self._calls = 0
        self._used_at = time.monotonic()
        self._ending: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The episode's id."""
        return self.identity.episode_id

    @property
    def pids(self) -> Sequence[int]:
        """Its processes that live."""
        return self._processes.pids if self._processes is not None else []

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

    async def open(self, processes: EpisodeProcesses) -> None:
        """Start the task in a process of its own; the episode is over when that fails.

        Args:
            processes: Its processes, none of them started.

        Raises:
            InvalidRequestError: The environment does not take the params.
            FullError: No process can be had now.
            StepDeadlineError: It takes too long.
            InternalError: The environment failed.
            EpisodeReleasedError: The episode was released meanwhile.
        """
        async with self._turn:
            self.refuse_if_over()
            self._processes = processes
            try:
                self.initial_messages = await processes.open()
            except InvalidRequestError as error:
                await self.end(EpisodeState.LOST, error.detail)
                raise
            except FAILURES as error:
                raise await self._failure(error, "opening the task") from error
            self.refuse_if_over()
            self.first_state = self.initial_messages
            self._run(processes)

    async def go_on(self, processes: EpisodeProcesses, progress: Progress) -> None:
        """Begin as a branch.

        Args:
            processes: Its processes, a copy of the parent's playing one among them.
            progress: Of the parent; taken over.
        """
        if self.state.is_over:
            await processes.end()
            return
        self.initial_messages = progress.initial_messages
        self.ledger = progress.ledger
        self.trajectory.begin_with(progress.records)
        last = self.ledger.last
        self.first_index = self.ledger.executed
        self.first_state = self.initial_messages if last is None else [last.message]
        self._run(processes)

    async def step(
        self, message: Mapping[str, object], step_index: int | None
    ) -> tuple[ExecutedStep, float]:
        """Execute an action, or answer a repeated one again.

        Returns:
            The step, and its reward: 0.0, or the evaluation's when it ended the task.

        Raises:
            InvalidRequestError: The environment does not take the message; nothing was executed.
            OutOfOrderError: See `StepLedger.repeated`.
            EvaluationFailedError: The task terminated, but there is no reward.
            StepDeadlineError, EpisodeLostError, InternalError: The episode is lost.
            SandboxError: The episode is over.
        """
        action = fingerprint(message)
        async with self._turn:
            with self._refusals_recorded():
                step = self.ledger.repeated(step_index, action)
                if step is None:
                    step = await self._execute(message, action)
                reward = await self._reward(sparse=False) if step.terminated else 0.0
                return step, reward

    async def evaluate(self, *, sparse: bool) -> float:
        """The reward for what the steps so far achieved.

        Raises:
            EvaluationFailedError: There is none; the episode goes on.
            SandboxError: The episode is over.
        """
        async with self._turn:
            with self._refusals_recorded():
                return await self._reward(sparse=sparse)

    async def fork(self, branches: Sequence["Episode"], *, reseed: bool) -> None:
        """Let other episodes go on from where this one stands; all of them or none.

        Args:
            branches: Episodes that have not begun.
            reseed: Whether each has random numbers of its own.

        Raises:
            EpisodeTerminatedError: There is nothing to go on with.
            FullError: No processes can be had for them now.
            StepDeadlineError, EpisodeLostError, InternalError: This episode is lost.
            SandboxError: It is over.
        """
        async with self._turn:
            with self._refusals_recorded():
                copies = await self._copies(len(branches), reseed=reseed)
            for branch, copy in zip(branches, copies, strict=True):
                await branch.go_on(copy, self._progress())

    def refuse_if_over(self) -> None:
        """Say how the episode ended, if it did.

        Raises:
            EpisodeReleasedError, EpisodeExpiredError, EpisodeLostError: It is over.
        """
        if self.state.is_over:
            raise refusal(self.state, self.id, self.loss)

    def refuse_if_terminated(self) -> None:
        """Say that the task is over, if it is.

        Raises:
            EpisodeTerminatedError: It is.
        """
        if self.state is EpisodeState.TERMINATED:
            raise EpisodeTerminatedError(f"the task of episode {self.id} is over; evaluate it")

    async def end(self, state: EpisodeState, why: str, loss: Loss | None = None) -> None:
        """Kill the episode's processes and forget its steps; the first call decides why."""
        await asyncio.shield(self._begin_end(state, why, loss))

    def _begin_end(
        self, state: EpisodeState, why: str, loss: Loss | None = None
    ) -> "asyncio.Task[None]":
        if self._ending is None:
            self._become(state)
            self.loss = loss
            log.info(
                "episode over",
                extra=about(episode=self.id, state=state, steps=self.ledger.executed, why=why),
            )
            # Closing takes time and memory: none is left for it when memory is short.
            closes = loss is None and not self._turn.locked()
            self._ending = asyncio.create_task(self._end(closes=closes))
            self._on_over(self)
        return self._ending

    async def _end(self, *, closes: bool) -> None:
        # All of it is done, whatever fails.
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._on_gone, self)
            stack.push_async_callback(self.trajectory.discard)
            if self._processes is not None:
                stack.push_async_callback(self._processes.end)
                if closes:
                    await self._processes.close()

    def _run(self, processes: EpisodeProcesses) -> None:
        self._processes = processes
        self._become(EpisodeState.RUNNING)
        processes.player_exited.add_done_callback(self._on_player_exit)

    def _on_player_exit(self, exited: "asyncio.Future[int | None]") -> None:
        if self.state is EpisodeState.RUNNING:
            self._begin_end(EpisodeState.LOST, f"its process {manner(exited.result())}")

    async def _execute(self, message: Mapping[str, object], action: bytes) -> ExecutedStep:
        processes, index = self._playing(), self.ledger.executed
        began = time.perf_counter()
        try:
            observed = _checked(await processes.step(index, message))
        except FAILURES as error:
            raise await self._failure(error, "the step") from error
        seconds = time.perf_counter() - began
        self.refuse_if_over()
        step = ExecutedStep(action, observed.message, observed.truncated, observed.terminated)
        self.ledger.record(step)
        self._on_step()
        self.trajectory.record(
            "step",
            index=index,
            action=message,
            observation=observed.message,
            is_terminated=observed.terminated,
            seconds=round(seconds, 6),
        )
        if step.terminated:
            self._become(EpisodeState.TERMINATED)
            await processes.stop_playing()
        return step

    async def _copies(self, count: int, *, reseed: bool) -> list[EpisodeProcesses]:
        processes = self._playing()
        copies: list[EpisodeProcesses] = []
        try:
            while len(copies) < count:
                at_once = range(min(_FORKED_AT_ONCE, count - len(copies)))
                seeds = [secrets.randbits(_SEED_BITS) if reseed else None for _ in at_once]
                copies += await processes.fork(seeds)
            # Branches take over its records, which are gone when it is over.
            self.refuse_if_over()
        except (*FAILURES, SandboxError) as error:
            await asyncio.gather(*(copy.end() for copy in copies))
            if isinstance(error, SandboxError):
                raise
            if isinstance(error, ForkError):
                self.refuse_if_over()
                raise opening_failure(error, "branches") from error
            raise await self._failure(error, "the fork") from error
        return copies

    async def _reward(self, *, sparse: bool) -> float:
        rewards = self.ledger.rewards
        if sparse not in rewards:
            try:
                rewards[sparse] = await self._opened().evaluate(sparse=sparse)
            except FAILURES as error:
                self.refuse_if_over()
                log.warning("evaluation failed", extra=about(episode=self.id, why=told(error)))
                raise EvaluationFailedError(
                    f"episode {self.id} could not be evaluated; the server's log says why"
                ) from error
            self.refuse_if_over()
            self.trajectory.record(
                "evaluation", sparse=sparse, reward=rewards[sparse], steps=self.ledger.executed
            )
        return rewards[sparse]

    def _opened(self) -> EpisodeProcesses:
        if self._processes is None:
            raise RuntimeError(f"episode {self.id} was not opened")
        return self._processes

    def _playing(self) -> EpisodeProcesses:
        self.refuse_if_terminated()
        return self._opened()

    def _progress(self) -> Progress:
        return Progress(self.initial_messages, self.ledger.copy(), self.trajectory.excerpt())

    @contextlib.contextmanager
    def _refusals_recorded(self) -> Generator[None]:
        self.refuse_if_over()
        try:
            yield
        except SandboxError as error:
            told = {"type": error.type, "detail": error.detail}
            self.trajectory.record("error", error=told)
            raise

    async def _failure(self, error: Exception, what: str) -> SandboxError:
        """The error that a failure of the playing process is told as; it ends the episode."""
        opening = self.state is EpisodeState.OPENING
        await self.end(EpisodeState.LOST, f"{what} failed: {told(error)}")
        if self.state is not EpisodeState.LOST or self.loss is not None:
            return refusal(self.state, self.id, self.loss)
        if opening:
            return opening_failure(error, f"episode {self.id}")
        return playing_failure(error, what, self.id)

    def _become(self, state: EpisodeState) -> None:
        if not self.state.may_become(state):
            raise RuntimeError(f"episode {self.id} cannot become {state}: it is {self.state}")
        self.state = state


def _checked(observed: Observed) -> Observed:
    """An answer of a process in which agent code ran, which may have written it.

    Raises:
        ProcessGoneError: It is no message that may be passed on, so the process has to go.
    """
    message = observed.message
    for name in ("role", "content"):
        if not isinstance(message.get(name), str):
            raise ProcessGoneError(f"the process answered a message without a {name}")
    try:
        refuse_deep_nesting(message)
        too_long = len(encode(message)) > _MOST_BYTES
    except (ValueError, RecursionError) as error:
        raise ProcessGoneError("the process answered a message that is no JSON") from error
    if too_long or len(str(message["content"])) > _MOST_CHARACTERS:
        raise ProcessGoneError("the process answered a message that was not cut")
    return observed
