"""A proxy before the API server: it counts what goes by, and lets faults happen to it.

A test can so end the operator at an exact point of its work (before or after a write has been
committed), or have the API server answer badly or not at all, without a hook in anybody's code.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector, web

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "content-encoding", "host"}
# Closing such a socket sends RST, which the other side knows as "connection reset by peer".
_RESET_WHEN_CLOSED = struct.pack("ii", 1, 0)

# aiohttp takes a connection that is reset on purpose for a fault of the handler.
_log = logging.getLogger(__name__)
_log.setLevel(logging.CRITICAL)


@dataclass
class Call:
    """One request that came by.

    Attributes:
        path: without the query.
        at: when it came, by a monotonic clock.
        headers: but for those of the connection.
        status: what the API server has answered; None as long as it has not, or was not asked.
        is_told: whether the answer was passed on.
        is_expired: of a watch: it was told that what it wants to know is forgotten.
    """

    method: str
    path: str
    query: str
    body: bytes
    at: float
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    status: int | None = None
    is_told: bool = False
    is_expired: bool = False

    @property
    def is_watch(self) -> bool:
        return "watch=true" in self.query

    @property
    def is_write(self) -> bool:
        """Whether it changes what is there; leases and events aside."""
        is_aside = "/leases" in self.path or "/events" in self.path
        return self.method not in {"GET", "HEAD"} and not is_aside

    @property
    def is_event(self) -> bool:
        """Whether it is to create an Event."""
        return self.method == "POST" and self.path.endswith("/events")

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


class Fault:
    """What happens to calls; each method may raise ConnectionResetError to end the connection."""

    async def before(self, call: Call) -> web.StreamResponse | None:
        """Return the answer if the API server is not to be asked."""

    async def after(self, call: Call) -> None:
        """The API server has answered; nobody was told of it yet."""


@dataclass
class Trap(Fault):
    """Runs an action at the first call that matches, before or after it has been carried out."""

    when: Literal["before", "after"]
    matches: Callable[[Call], bool]
    action: Callable[[], None]
    fired: bool = False

    async def before(self, call: Call) -> web.StreamResponse | None:
        self._fire("before", call)
        return None

    async def after(self, call: Call) -> None:
        self._fire("after", call)

    def _fire(self, when: str, call: Call) -> None:
        if self.fired or when != self.when or not self.matches(call):
            return
        self.fired = True
        self.action()
        raise ConnectionResetError


@dataclass
class ApiProxy:
    """Plain HTTP on loopback for an API server at any address.

    Attributes:
        faults: asked in turn about every call.
        calls: all that came.
        lag: for how many seconds watches are held back.
    """

    upstream: str
    faults: list[Fault] = field(default_factory=list[Fault])
    calls: list[Call] = field(default_factory=list[Call])
    lag: float = 0.0
    address: str = ""
    _streams: dict[web.StreamResponse, web.BaseRequest] = field(
        default_factory=dict[web.StreamResponse, web.BaseRequest]
    )
    _under_way: int = 0
    _is_idle: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def writes(self) -> list[Call]:
        return [call for call in self.calls if call.is_write]

    async def until_idle(self) -> None:
        """Wait until the API server has answered all that it was asked, watches aside."""
        # What has been received is passed on first.
        await asyncio.sleep(0.05)
        while self._under_way:
            self._is_idle.clear()
            await self._is_idle.wait()

    def cut_streams(self) -> int:
        """Reset the connections of all open watches; returns how many there were."""
        streams = list(self._streams.values())
        for request in streams:
            _reset(request)
        return len(streams)

    async def end_streams(self, error: dict[str, Any]) -> int:
        """Send an ERROR event on all open watches and end them; returns how many there were."""
        line = json.dumps({"type": "ERROR", "object": error}).encode() + b"\n"
        streams = list(self._streams.items())
        self._streams.clear()
        for response, request in streams:
            with contextlib.suppress(ConnectionError):
                await response.write(line)
                await response.write_eof()
            if request.transport is not None:
                request.transport.close()
        return len(streams)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[ApiProxy]:
        """Serve in this event loop."""
        connector = TCPConnector(limit=0, ssl=False)
        timeout = ClientTimeout(total=None)
        async with ClientSession(connector=connector, timeout=timeout) as self._session:
            runner = web.ServerRunner(web.Server(self._handle, logger=_log), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
            try:
                yield self
            finally:
                self.cut_streams()
                await runner.cleanup()

    @contextmanager
    def running(self) -> Iterator[ApiProxy]:
        """Serve in a thread of its own."""
        loop = asyncio.new_event_loop()
        stop, ready = asyncio.Event(), threading.Event()

        async def serve() -> None:
            async with self.serving():
                ready.set()
                await stop.wait()

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        now = time.monotonic()
        call = Call(request.method, request.path, request.query_string, body, now, headers)
        self.calls.append(call)
        try:
            for fault in self.faults:
                answer = await fault.before(call)
                if answer is not None:
                    return answer
            self._under_way += not call.is_watch
            try:
                return await self._forward(request, call)
            finally:
                self._under_way -= not call.is_watch
                self._is_idle.set()
        except (ConnectionError, ClientError):
            # The API server is away, or a fault wants it to look so.
            _reset(request)
            raise ConnectionResetError from None

    async def deliver(self, call: Call) -> None:
        """Have the API server carry out a call that nobody waits for any more."""
        async with self._ask(call, f"{call.path}?{call.query}") as answer:
            call.status = answer.status

    def _ask(self, call: Call, target: str) -> AbstractAsyncContextManager[ClientResponse]:
        return self._session.request(
            call.method,
            self.upstream + target,
            headers=call.headers,
            data=call.body or None,
            allow_redirects=False,
        )

    async def _forward(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        async with self._ask(call, request.path_qs) as answer:
            call.status = answer.status
            for fault in self.faults:
                await fault.after(call)
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            if not call.is_watch:
                await response.write(await answer.read())
                call.is_told = True
                return response
            self._streams[response] = request
            try:
                rest = b""
                async for part in answer.content.iter_any():
                    *lines, rest = (rest + part).split(b"\n")
                    call.is_expired |= any(map(_tells_of_expiry, lines))
                    await asyncio.sleep(self.lag)
                    if lines and response in self._streams:
                        await response.write(b"".join(line + b"\n" for line in lines))
            finally:
                self._streams.pop(response, None)
            return response


def _tells_of_expiry(line: bytes) -> bool:
    # A decoder for every event would cost more than the proxy itself.
    if not line.startswith(b'{"type":"ERROR"'):
        return False
    return json.loads(line)["object"].get("code") == HTTPStatus.GONE


def _reset(request: web.BaseRequest) -> None:
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_WHEN_CLOSED)
    transport.abort()
