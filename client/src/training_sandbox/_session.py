"""One life of a sandbox: started once, by whoever comes first, and closed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from training_sandbox._calls import Caller
from training_sandbox._exceptions import InvalidRequest
from training_sandbox._uninterrupted import uninterrupted
from training_sandbox._verbs import Verbs

if TYPE_CHECKING:
    from training_sandbox._server import BoundTask, Provider, Server


class Session:
    """Starts a server on first use and ends it.

    Args:
        provider: makes the server available.
        env_type: the environment for calls that name none, unless the server says its own.
        request_timeout: seconds for each call.
    """

    def __init__(self, provider: Provider, env_type: str, request_timeout: float) -> None:
        self._provider = provider
        self._env_type = env_type
        self._request_timeout = request_timeout
        self._changing = anyio.Lock()
        self._server: Server | None = None
        self._caller: Caller | None = None
        self._verbs: Verbs | None = None
        self._closed = False

    @property
    def name(self) -> str | None:
        """The instance's name; None before the start and without a cluster."""
        return self._server.name if self._server else None

    @property
    def bound(self) -> BoundTask | None:
        """The task that the server was started for; None before the start."""
        return self._server.bound if self._server else None

    async def verbs(self) -> Verbs:
        """Return the verbs of the running server; start it if nobody did."""
        if self._verbs and not self._closed:
            return self._verbs
        async with self._changing:
            if self._closed:
                raise InvalidRequest("the sandbox is closed")
            if self._verbs is None:
                self._server = await self._provider.start()
                self._caller = Caller(self._server, self._provider, self._request_timeout)
                self._verbs = Verbs(self._caller, self._server.env_type or self._env_type)
            return self._verbs

    async def close(self) -> None:
        """End everything, also when the caller is being cancelled."""
        self._closed = True
        await uninterrupted(self._end)

    async def _end(self) -> None:
        async with self._changing:
            if self._caller:
                await self._caller.close()
            await self._provider.stop()
