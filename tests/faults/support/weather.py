"""What may come back from an API server, or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from aiohttp import web

from tests.support.api_proxy import ApiProxy, Call, Fault

Matches = Callable[[Call], bool]


class Weather(Fault):
    """Some of the calls that match meet a fault.

    Args:
        random: decides which.
        share: how many of them.
        matches: which may.

    Attributes:
        met: those that have.
    """

    def __init__(
        self, random: Random, share: float = 0.3, matches: Matches = lambda _: True
    ) -> None:
        self._random = random
        self._share = share
        self._matches = matches
        self.met: list[Call] = []

    def _meets(self, call: Call) -> bool:
        if not self._matches(call) or self._random.random() >= self._share:
            return False
        self.met.append(call)
        return True


class Gone(Weather):
    """Watches are told that what they have seen last is forgotten: they are to begin anew."""

    async def before(self, call: Call) -> web.StreamResponse | None:
        if not call.is_watch or not self._meets(call):
            return None
        return web.json_response({"type": "ERROR", "object": error_object(410)})


class BadAnswer(Weather):
    """The API server is not asked, and something answers with this status."""

    def __init__(
        self,
        random: Random,
        status: int,
        *,
        retry_after: int | None = None,
        share: float = 0.3,
        matches: Matches = lambda _: True,
    ) -> None:
        super().__init__(random, share, matches)
        self._status = status
        self._headers = {} if retry_after is None else {"Retry-After": str(retry_after)}

    async def before(self, call: Call) -> web.StreamResponse | None:
        if not self._meets(call):
            return None
        body = error_object(self._status)
        return web.json_response(body, status=self._status, headers=self._headers)


class Reset(Weather):
    """The connection is reset before the API server has heard of the call."""

    async def before(self, call: Call) -> web.StreamResponse | None:
        if self._meets(call):
            raise ConnectionResetError
        return None


class LostAnswer(Weather):
    """What was asked for is done, and the connection is reset before the answer."""

    async def after(self, call: Call) -> None:
        if self._meets(call):
            raise ConnectionResetError


class BlackHole(Weather):
    """Nothing ever comes back; the API server has not heard of the call."""

    async def before(self, call: Call) -> web.StreamResponse | None:
        if self._meets(call):
            await asyncio.sleep(3600)
        return None


class Late(Weather):
    """Writes whose connections are reset, and that the API server is sent a while later.

    But deletions of instances: nothing tells a late one for idleness from one that is in time, as
    docs/operations.md says.
    """

    def __init__(self, random: Random, proxy: ApiProxy, share: float = 0.3) -> None:
        super().__init__(random, share, _may_be_late)
        self._proxy = proxy

    async def before(self, call: Call) -> web.StreamResponse | None:
        if self._meets(call):
            raise ConnectionResetError
        return None

    async def deliver(self) -> None:
        """Have the API server carry them out, or refuse to."""
        for call in self.met:
            await self._proxy.deliver(call)


def _may_be_late(call: Call) -> bool:
    return call.is_write and not (call.method == "DELETE" and "/traininginstances/" in call.path)


class Wall(Fault):
    """No call gets through while it stands, as if the network were parted.

    Args:
        matches: which calls do not.
    """

    def __init__(self, matches: Matches = lambda _: True) -> None:
        self._matches = matches

    async def before(self, call: Call) -> web.StreamResponse | None:
        if self._matches(call):
            raise ConnectionResetError
        return None


def error_object(status: int) -> dict[str, object]:
    """Return what the API server tells of an error."""
    return {"kind": "Status", "apiVersion": "v1", "code": status, "message": "a fault"}
