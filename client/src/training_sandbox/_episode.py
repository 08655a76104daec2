"""One episode as an object: opened, stepped, evaluated, released."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Self, cast

import anyio

from training_sandbox._exceptions import TrainingSandboxError
from training_sandbox._shapes import message_of
from training_sandbox._uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

    from training_sandbox._types import Action, Created, Message, StepResult
    from training_sandbox._verbs import Verbs

logger = logging.getLogger("training_sandbox")

RELEASE_SECONDS = 10.0


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

    def __init__(self, verbs: Verbs, created: Created) -> None:
        self._verbs = verbs
        self.instance_id: str = created["info"]["instance_id"]
        self.task_id: str = created["info"]["task_id"]
        self.messages: list[Message] = list(created["state"])
        self.reward: float | None = None
        self.is_terminated: bool = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await uninterrupted(self._release_quietly)

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

    async def release(self) -> bool:
        """End the episode and free its slot; False when the server does not know it."""
        return await self._verbs.release(self.instance_id)

    async def _release_quietly(self) -> None:
        try:
            with anyio.fail_after(RELEASE_SECONDS):
                await self.release()
        except (TrainingSandboxError, TimeoutError) as error:
            logger.info("episode %s was not released: %s", self.instance_id, error)

    def _note(self, action: Action, result: StepResult) -> None:
        said = cast("Message", message_of(action))
        self.messages += [said, *result["state"]]
        self.is_terminated = result["is_terminated"]
        if self.is_terminated:
            self.reward = result["reward"]


class EpisodeOpening:
    """An episode about to be opened: ``await`` it, or use it in ``async with``."""

    def __init__(self, opening: Callable[[], Awaitable[AsyncEpisode]]) -> None:
        self._opening = opening
        self._episode: AsyncEpisode | None = None

    def __await__(self) -> Generator[object, None, AsyncEpisode]:
        return self._opening().__await__()

    async def __aenter__(self) -> AsyncEpisode:
        self._episode = await self._opening()
        return self._episode

    async def __aexit__(self, *exc_info: object) -> None:
        if self._episode:
            await self._episode.__aexit__(*exc_info)
