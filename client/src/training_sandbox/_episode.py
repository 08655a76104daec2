"""One episode as an object: opened, stepped, evaluated, released."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

from training_sandbox import _shapes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence

    from training_sandbox._types import Action, Message, StepResult, TrajectoryRecord
    from training_sandbox._verbs import Verbs


class AsyncEpisode:
    """One run of one task. Leaving the ``async with`` block releases it.

    Attributes:
        instance_id: the episode's name in the verbs.
        task_id: the task that it runs.
        messages: what was said so far: system and user message, then action and observation of
            each step. The list is the episode's own; copy it before changing it.
        reward: of the last evaluation, be it by ``evaluate`` or by the step that ended the task;
            None before.
        is_terminated: whether the task has ended: it can be evaluated, not stepped.
    """

    def __init__(
        self, verbs: Verbs, instance_id: str, task_id: str, messages: Iterable[Message]
    ) -> None:
        self._verbs = verbs
        self.instance_id: str = instance_id
        self.task_id: str = task_id
        self.messages: list[Message] = list(messages)
        self.reward: float | None = None
        self.is_terminated: bool = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._verbs.release_quietly([self.instance_id])

    async def step(
        self, action: Action, *, params: Mapping[str, object] | None = None
    ) -> StepResult:
        """Execute an action; see ``AsyncTrainingSandbox.step``."""
        result = await self._verbs.step(self.instance_id, action, params)
        self._note(action, result)
        return result

    async def evaluate(
        self, *, sparse: bool | None = None, params: Mapping[str, object] | None = None
    ) -> float:
        """Return the reward as of the last step; see ``AsyncTrainingSandbox.evaluate``."""
        self.reward = await self._verbs.evaluate(self.instance_id, None, params, sparse=sparse)
        return self.reward

    def fork(
        self, n: int, *, reseed: bool = False, instance_ids: Sequence[str] | None = None
    ) -> GroupOpening:
        """Let new episodes go on from where this one stands, which goes on too; all or none.

        ``async with episode.fork(4) as branches`` or ``await``. Each has all that the episode
        has: memory, messages, the number of steps.

        Args:
            n: how many.
            reseed: give each branch random numbers of its own; otherwise all go on with those
                that the episode goes on with.
            instance_ids: their ids, as many as ``n``; see ``AsyncTrainingSandbox.create_group``.

        Raises (once it is awaited):
            ForkUnsupported: the server's kernel cannot do it.
            SandboxFull: there were not as many free slots in time.
            EpisodeTerminated: the task has ended.
            OutOfOrder: the answer of the last step is missing; send that again first.
            EpisodeLost, EpisodeExpired, EpisodeReleased, InstanceLost: the episode is gone.
        """
        return GroupOpening(partial(self._fork, n, instance_ids, reseed=reseed))

    async def trajectory(self) -> list[TrajectoryRecord]:
        """Return what happened in the episode: its steps, evaluations and errors, in order.

        Raises:
            EpisodeLost, EpisodeExpired, EpisodeReleased, InstanceLost: the episode is gone, and
                its trajectory with it.
        """
        return _shapes.trajectory(await self.trajectory_jsonl())

    async def trajectory_jsonl(self) -> str:
        """Return the trajectory as JSON Lines, as the server wrote it; errors as there."""
        return await self._verbs.trajectory(self.instance_id)

    async def release(self) -> bool:
        """End the episode and free its slot; False when the server does not know it."""
        return await self._verbs.release(self.instance_id)

    async def _fork(
        self, n: int, instance_ids: Sequence[str] | None, *, reseed: bool
    ) -> AsyncEpisodeGroup:
        branches = await self._verbs.fork(self.instance_id, n, instance_ids, reseed=reseed)
        return AsyncEpisodeGroup(
            self._verbs,
            (
                AsyncEpisode(self._verbs, branch.episode_id, branch.task_id, self.messages)
                for branch in branches
            ),
        )

    def _note(self, action: Action, result: StepResult) -> None:
        said = cast("Message", _shapes.message_of(action))
        self.messages += [said, *result["state"]]
        self.is_terminated = result["is_terminated"]
        if self.is_terminated:
            self.reward = result["reward"]


class AsyncEpisodeGroup(list[AsyncEpisode]):
    """Episodes that were opened together. Leaving the ``async with`` block releases them."""

    def __init__(self, verbs: Verbs, episodes: Iterable[AsyncEpisode]) -> None:
        super().__init__(episodes)
        self._verbs = verbs

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._verbs.release_quietly([episode.instance_id for episode in self])


T = TypeVar("T", AsyncEpisode, AsyncEpisodeGroup)


class _Opening(Generic[T]):
    def __init__(self, opening: Callable[[], Awaitable[T]]) -> None:
        self._opening = opening
        self._opened: T | None = None

    def __await__(self) -> Generator[object, None, T]:
        return self._opening().__await__()

    async def __aenter__(self) -> T:
        self._opened = await self._opening()
        return self._opened

    async def __aexit__(self, *exc_info: object) -> None:
        if self._opened is not None:
            await self._opened.__aexit__(*exc_info)


class EpisodeOpening(_Opening[AsyncEpisode]):
    """An episode about to be opened: ``await`` it, or use it in ``async with``."""


class GroupOpening(_Opening[AsyncEpisodeGroup]):
    """Episodes about to be opened together: ``await`` them, or use them in ``async with``."""
