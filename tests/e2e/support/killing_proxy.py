"""A proxy before the API server that runs a callback at a chosen request.

It lets a test end the operator at an exact point of its work (before or after a write has been
committed) without a hook in the operator's code.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from aiohttp import ClientSession, ClientTimeout, web

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "content-encoding", "host"}


@dataclass
class Trap:
    """Fires once, at the first request that matches."""

    when: Literal["before", "after"]
    matches: Callable[[web.BaseRequest], bool]
    action: Callable[[], None]
    fired: bool = False

    def fire(self, when: str, request: web.BaseRequest) -> bool:
        if self.fired or when != self.when or not self.matches(request):
            return False
        self.fired = True
        self.action()
        return True


class KillingProxy:
    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.address = ""
        self.trap: Trap | None = None
        self.requests: list[tuple[str, str]] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs))
        if self.trap and self.trap.fire("before", request):
            raise ConnectionResetError
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP}
        async with self._session.request(
            request.method,
            self.upstream + request.path_qs,
            headers=headers,
            data=await request.read() or None,
            allow_redirects=False,
        ) as answer:
            # The write is committed; whether its answer arrives is another matter.
            if self.trap and self.trap.fire("after", request):
                raise ConnectionResetError
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response

    async def _serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        timeout = ClientTimeout(total=None)
        async with ClientSession(timeout=timeout, auto_decompress=True) as self._session:
            runner = web.ServerRunner(web.Server(self.handle), shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            await stop.wait()
            await runner.cleanup()

    @contextmanager
    def running(self) -> Iterator[KillingProxy]:
        loop = asyncio.new_event_loop()
        stop, ready = asyncio.Event(), threading.Event()
        thread = threading.Thread(
            target=loop.run_until_complete, args=(self._serve(ready, stop),), daemon=True
        )
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()
