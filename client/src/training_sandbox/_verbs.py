"""The verbs of a sandbox, over one server, with each episode's steps in order."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from training_sandbox import _shapes
from training_sandbox._exceptions import (
    OutOfOrder,
    SandboxDraining,
    SandboxFull,
    ServerFault,
)
from training_sandbox._json import JsonObject, as_object
from training_sandbox._steps import BEYOND_ANY_STEP, StepSequence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training_sandbox._answers import Answer
    from training_sandbox._calls import Caller
    from training_sandbox._types import Action, Created, ServerStatus, StepResult


@dataclass(slots=True)
class _Episode:
    steps: StepSequence
    incarnation: str | None = None
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
        name = episode_id or f"episode-{secrets.token_hex(12)}"
        body = self._body(env_type, name, task_id=task_id, params=_shapes.params_of(params))
        answer = await self._caller.call("create", body, waits_out=(SandboxFull,))
        result = _shapes.created(_accepted("create", answer))
        fresh = episode_id is None or untouched
        self._episodes.setdefault(
            result["info"]["instance_id"],
            _Episode(StepSequence(0 if fresh else None), answer.incarnation),
        )
        return result

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

    async def release(self, episode_id: str) -> bool:
        """End an episode; False when the server never had it."""
        answer = await self._caller.call("release", self._body(None, episode_id))
        self._episodes.pop(episode_id, None)
        return answer.success and as_object(answer.data).get("success") is not False

    def _body(
        self, env_type: str | None, episode_id: str | None = None, **fields: object
    ) -> JsonObject:
        body: JsonObject = {"env_type": env_type or self._env_type, **fields}
        if episode_id is not None:
            body["instance_id"] = episode_id
        return body

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
    ) -> object:
        """Send a verb about an episode. A draining server is waited out, for what becomes of it."""
        episode = self._episodes.get(episode_id)
        answer = await self._caller.call(
            verb,
            body,
            waits_out=(SandboxDraining,),
            incarnation=episode and episode.incarnation,
        )
        if episode and episode.incarnation is None:
            episode.incarnation = answer.incarnation
        return _accepted(verb, answer)


def _accepted(verb: str, answer: Answer) -> object:
    if not answer.success:
        raise ServerFault(f"{verb}: {answer.detail or 'refused without a reason'}")
    return answer.data
