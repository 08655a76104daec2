"""The server in a pod of the fake node: /status and /bind, for those who bear a token of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.faults.support.seen import Object
from tests.support.api_proxy import Call, Fault
from training_sandbox_operator.model.names import PUBLIC_KEY_VARIABLE
from training_sandbox_server.bearer_tokens import Doorkeeper, read_public_key
from training_sandbox_server.errors import SandboxError
from training_sandbox_server.incarnation_name import incarnation_name, may_mean


@dataclass
class Server:
    """The server in a pod, with the real one's doorkeeper.

    Attributes:
        episode: the instance whose task it plays, None for an open server.
        refused: other instances that have asked it to play theirs.
        told_used_at: when it was last used, as it has told the operator last.
        starts: how often it has counted itself as started again: its own count.
        restarts: how often its container was: the kubelet's count, never the smaller one.
        is_up: whether anybody listens at its address.
        telling: held while the kubelet tells of a start: of one after the other, never backwards.
    """

    pod: Object
    address: str
    on_bind: Callable[[Server], Coroutine[Any, Any, None]]
    faults: list[Fault]
    episode: str | None = None
    task_state: str = "running"
    used_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    told_used_at: datetime | None = None
    refused: list[str] = field(default_factory=list[str])
    starts: int = 0
    restarts: int = 0
    is_up: bool = True
    telling: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._doorkeeper = self._new_doorkeeper()

    @property
    def uid(self) -> str:
        return self.pod["metadata"]["uid"]

    @property
    def incarnation(self) -> str:
        return incarnation_name(self.uid, self.starts)

    @property
    def is_finished(self) -> bool:
        return self.task_state == "terminated"

    def variable(self, name: str) -> str | None:
        """A variable of the container's environment."""
        variables = self.pod["spec"]["containers"][0].get("env", ())
        return next((one.get("value") for one in variables if one["name"] == name), None)

    def use(self) -> None:
        """Have a client call an episode."""
        self.used_at = datetime.now(UTC)

    def end(self) -> None:
        """End, and lose what is played."""
        self.is_up = False
        self.episode, self.task_state = None, "running"

    def start_again(self, *, runs: int) -> None:
        """Begin another life.

        Args:
            runs: of the container, of which only the last one came so far as to count itself.
        """
        self.restarts += runs
        self.starts += 1
        self.started_at = datetime.now(UTC)
        self._doorkeeper = self._new_doorkeeper()
        self.is_up = True

    def admits(self, token: str) -> bool:
        """Whether a client may play with this token."""
        try:
            self._doorkeeper.check("/step", f"Bearer {token}")
        except SandboxError:
            return False
        return True

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        call = Call(request.method, request.path, "", body, time.monotonic())
        for fault in self.faults:
            answer = await fault.before(call)
            if answer is not None:
                return answer
        if not self.is_up:
            raise ConnectionResetError
        response = await self._answer(call, request.headers.get("Authorization"))
        for fault in self.faults:
            await fault.after(call)
        return response

    async def _answer(self, call: Call, authorization: str | None) -> web.StreamResponse:
        try:
            self._doorkeeper.check(call.path, authorization)
        except SandboxError as error:
            return web.json_response(error.body(self.incarnation), status=error.status)
        if call.path == "/bind":
            asked = call.json()
            if not may_mean(asked["incarnation"], self.incarnation):
                return _refuse(410, "episode_lost", "another incarnation is meant")
            if self.episode not in {None, asked["instance_id"]}:
                self.refused.append(asked["instance_id"])
                return _refuse(409, "already_bound", f"{self.episode} is played")
            if self.episode is None:
                self.episode = asked["instance_id"]
                await self.on_bind(self)
        return web.json_response({"success": True, "data": self._status()})

    def _status(self) -> Object:
        is_playing = self.episode is not None and not self.is_finished
        self.told_used_at = max(self.used_at, self.started_at)
        idle = (datetime.now(UTC) - self.told_used_at).total_seconds()
        task = {
            "state": self.task_state,
            "steps": 3,
            "reward": 1.0 if self.is_finished else None,
            "finished": self.is_finished,
        }
        return {
            "incarnation": self.incarnation,
            "phase": "serving",
            "slots": {"total": 1, "used": int(is_playing)},
            "idle_seconds": 0 if is_playing else idle,
            "task": task if self.episode is not None else None,
        }

    def _new_doorkeeper(self) -> Doorkeeper:
        public_key = self.variable(PUBLIC_KEY_VARIABLE)
        assert public_key is not None, "all operators of trials sign tokens"
        return Doorkeeper(read_public_key(public_key), self.incarnation)


def _refuse(status: int, kind: str, detail: str) -> web.Response:
    body = {"success": False, "detail": detail, "error": {"type": kind}}
    return web.json_response(body, status=status)
