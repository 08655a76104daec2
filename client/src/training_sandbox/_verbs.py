"""The verbs of a sandbox, over one server, with each episode's steps in order."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from training_sandbox import _shapes
from training_sandbox._exceptions import (
    CallTimedOut,
    ConnectionFailed,
    EpisodeLost,
    InvalidAnswer,
    Lost,
    OutOfOrder,
    SandboxDraining,
    SandboxFull,
    ServerFault,
    TrainingSandboxError,
    Unavailable,
)
from training_sandbox._json import JsonObject, as_object
from training_sandbox._steps import BEYOND_ANY_STEP, StepSequence
from training_sandbox._uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

    from training_sandbox._answers import Answer
    from training_sandbox._calls import Caller
    from training_sandbox._types import Action, Created, ServerStatus, StepResult

logger = logging.getLogger("training_sandbox")

RELEASE_SECONDS = 10.0
_RELEASES_AT_ONCE = 16
_NO_ANSWER = (ConnectionFailed, CallTimedOut, InvalidAnswer)
"""Errors that leave open whether episodes were made."""


@dataclass(slots=True)
class _Episode:
    """What this client knows of an episode.

    Attributes:
        incarnation: the life of the server that it is in; None when none was told.
        is_over: whether a call was answered so; its id may be used for another episode then.
    """

    steps: StepSequence
    incarnation: str | None = None
    is_over: bool = False
    turn: anyio.Lock = field(default_factory=anyio.Lock)


class Verbs:
    """The verbs of one server."""

    def __init__(self, caller: Caller, env_type: str) -> None:
        self._caller = caller
        self._env_type = env_type
        self._episodes: dict[str, _Episode] = {}

    async def task_ids(
        self, env_type: str | None, split: str, params: Mapping[str, object] | None
    ) -> list[str]:
        """Return the ids of a split's tasks."""
        body = self._body(env_type, params={**_shapes.params_of(params), "split": split})
        return _shapes.task_ids(await self._data("get_env_profile", body))

    async def tools_info(self, env_type: str | None, params: Mapping[str, object] | None) -> str:
        """Return the description of the environment's tools."""
        body = self._body(env_type, params=_shapes.params_of(params))
        return _shapes.text(await self._data("get_info", body))

    async def status(self) -> ServerStatus:
        """Return the server's status."""
        return _shapes.server_status(await self._data("status", {}))

    async def create(
        self,
        env_type: str | None,
        task_id: str,
        episode_id: str | None,
        params: Mapping[str, object] | None,
        *,
        untouched: bool = False,
    ) -> Created:
        """Open an episode; wait for a slot until the deadline.

        Without an id it gets one that nobody else can have used, which makes resending safe.
        ``untouched`` says that nobody can have stepped an episode of the given id either.
        """
        async with self._naming(1, [episode_id] if episode_id else None) as (name,):
            body = self._body(env_type, name, task_id=task_id, params=_shapes.params_of(params))
            answer = await self._caller.call("create", body, waits_out=(SandboxFull,))
            result = _shapes.created(_accepted("create", answer))
        fresh = not episode_id or untouched
        self._remember([result["info"]["instance_id"]], 0 if fresh else None, answer.incarnation)
        return result

    async def create_group(
        self,
        task_id: str,
        count: int,
        episode_ids: Sequence[str] | None,
        params: Mapping[str, object] | None,
    ) -> list[Created]:
        """Open episodes of one task, all or none; wait for slots until the deadline."""
        arguments = _shapes.params_of(params)
        async with self._naming(count, episode_ids) as names:
            body = self._body(None, task_id=task_id, params=arguments, n=count, instance_ids=names)
            answer = await self._caller.call("create_group", body, waits_out=(SandboxFull,))
            group = _shapes.group(_accepted("create_group", answer), names)
        self._remember(names, 0 if episode_ids is None else None, answer.incarnation)
        return group

    async def fork(
        self, episode_id: str, count: int, episode_ids: Sequence[str] | None, *, reseed: bool
    ) -> list[_shapes.Branch]:
        """Let new episodes go on from where one stands, all or none; wait for slots as create.

        It takes its turn among the episode's steps.
        """
        episode = self._episodes.setdefault(episode_id, _Episode(StepSequence(None)))
        async with episode.turn, self._naming(count, episode_ids) as names:
            episode.steps.require_answer()
            body = self._body(None, episode_id, n=count, instance_ids=names, reseed=reseed)
            data = await self._episode_data("fork", episode_id, body, waits_out=(SandboxFull,))
            branches = _shapes.branches(data, names)
        for branch in branches:
            next_index = branch.step_index if episode_ids is None else None
            self._remember([branch.episode_id], next_index, episode.incarnation)
        return branches

    async def prepare(
        self, task_ids: Sequence[str], env_type: str | None, params: Mapping[str, object] | None
    ) -> None:
        """Announce tasks, so that the server opens them ahead of need."""
        body = self._body(env_type, task_ids=task_ids, params=_shapes.params_of(params))
        await self._data("prepare", body)

    async def step(
        self, episode_id: str, action: Action, params: Mapping[str, object] | None
    ) -> StepResult:
        """Execute an action once, however often it has to be sent."""
        message = _shapes.message_of(action)
        body = self._body(None, episode_id, messages=message, params=_shapes.params_of(params))
        episode = self._episodes.setdefault(episode_id, _Episode(StepSequence(None)))
        async with episode.turn:
            if episode.steps.next_index is None:
                data = await self._find_next_step(episode_id, episode, body)
                if data is not None:
                    return _shapes.step_result(data)
            with episode.steps.sending(message) as index:
                data = await self._episode_data("step", episode_id, {**body, "step_index": index})
                return _shapes.step_result(data)

    async def evaluate(
        self,
        episode_id: str,
        messages: Mapping[str, object] | None,
        params: Mapping[str, object] | None,
        *,
        sparse: bool | None,
    ) -> float:
        """Return the episode's reward; ``sparse`` stands for the parameter of that name."""
        arguments = _shapes.params_of(params)
        if sparse is not None:
            arguments["sparse"] = sparse
        body = self._body(None, episode_id, messages=_shapes.params_of(messages), params=arguments)
        return _shapes.reward(await self._episode_data("evaluate", episode_id, body))

    async def trajectory(self, episode_id: str) -> str:
        """Return what happened in an episode, as JSON Lines."""
        episode = self._episodes.get(episode_id)
        return await self._caller.json_lines(
            "trajectory",
            self._body(None, episode_id),
            incarnation=episode and episode.incarnation,
        )

    async def release(self, episode_id: str) -> bool:
        """End an episode; False when the server, or its present incarnation, never had it."""
        episode = self._episodes.get(episode_id)
        body, incarnation = self._body(None, episode_id), episode and episode.incarnation
        try:
            answer = await self._caller.call("release", body, incarnation=incarnation)
            released = answer.success and as_object(answer.data).get("success") is not False
        except EpisodeLost:
            released = False
        self._episodes.pop(episode_id, None)
        return released

    async def release_quietly(self, episode_ids: Iterable[str]) -> None:
        """Release what there is of these episodes; what goes wrong is logged only.

        A cancellation takes effect when that is done, or after 10 s.
        """
        at_once = anyio.CapacityLimiter(_RELEASES_AT_ONCE)

        async def release(episode_id: str) -> None:
            async with at_once:
                try:
                    await self.release(episode_id)
                except TrainingSandboxError as error:
                    logger.info("episode %s was not released: %s", episode_id, error)

        async def release_all() -> None:
            with anyio.move_on_after(RELEASE_SECONDS) as limit:
                async with anyio.create_task_group() as tasks:
                    for episode_id in episode_ids:
                        tasks.start_soon(release, episode_id)
            if limit.cancelled_caught:
                logger.info("not all episodes were released within %g s", RELEASE_SECONDS)

        await uninterrupted(release_all)

    def _body(
        self, env_type: str | None, episode_id: str | None = None, **fields: object
    ) -> JsonObject:
        body: JsonObject = {"env_type": env_type or self._env_type, **fields}
        if episode_id is not None:
            body["instance_id"] = episode_id
        return body

    @asynccontextmanager
    async def _naming(
        self, count: int, given: Sequence[str] | None
    ) -> AsyncGenerator[Sequence[str]]:
        """Yield the ids of episodes to make: those given, or new ones.

        The same ids make the same episodes, so that the body may send them again. When it ends
        without an answer, episodes of new ids are released, as nobody would come back for them.
        """
        if given is not None:
            yield given
            return
        names = [f"episode-{secrets.token_hex(12)}" for _ in range(count)]
        try:
            yield names
        except (*_NO_ANSWER, asyncio.CancelledError):
            await self.release_quietly(names)
            raise

    def _remember(
        self, episode_ids: Iterable[str], next_index: int | None, incarnation: str | None
    ) -> None:
        """Begin to count the steps of episodes, but for those that are known."""
        for episode_id in episode_ids:
            known = self._episodes.get(episode_id)
            if known is None or known.is_over or known.incarnation != incarnation:
                self._episodes[episode_id] = _Episode(StepSequence(next_index), incarnation)

    async def _data(self, verb: str, body: JsonObject) -> object:
        return _accepted(verb, await self._caller.call(verb, body))

    async def _find_next_step(self, episode_id: str, episode: _Episode, body: JsonObject) -> object:
        """Ask how many steps were executed; the step's data if the server keeps no count."""
        try:
            return await self._episode_data(
                "step", episode_id, {**body, "step_index": BEYOND_ANY_STEP}
            )
        except OutOfOrder as error:
            if error.expected_step_index is None:
                raise
            episode.steps.resume_at(error.expected_step_index)
            return None

    async def _episode_data(
        self,
        verb: str,
        episode_id: str,
        body: JsonObject,
        *,
        waits_out: tuple[type[Unavailable], ...] = (SandboxDraining,),
    ) -> object:
        """Send a verb about an episode. A draining server is waited out, for what becomes of it."""
        episode = self._episodes.get(episode_id)
        try:
            answer = await self._caller.call(
                verb, body, waits_out=waits_out, incarnation=episode and episode.incarnation
            )
        except Lost:
            if episode:
                episode.is_over = True
            raise
        if episode and episode.incarnation is None:
            episode.incarnation = answer.incarnation
        return _accepted(verb, answer)


def _accepted(verb: str, answer: Answer) -> object:
    if not answer.success:
        raise ServerFault(f"{verb}: {answer.detail or 'refused without a reason'}")
    return answer.data
