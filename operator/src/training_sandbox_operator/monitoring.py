"""The operator's own HTTP: /healthz, /readyz and /metrics."""

import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from training_sandbox_operator.metrics import CONTENT_TYPE

_PATIENCE_SECONDS = 0.5
_METRICS_SECONDS = 1.0


class _Lately:
    """What was told within the last second is told again: anybody may ask, as often as they like.

    Args:
        tell: takes milliseconds with thousands of instances.
    """

    def __init__(self, tell: Callable[[], bytes]) -> None:
        self._tell = tell
        self._told = b""
        self._until = -math.inf

    def __call__(self) -> bytes:
        if time.monotonic() >= self._until:
            self._told = self._tell()
            self._until = time.monotonic() + _METRICS_SECONDS
        return self._told


@asynccontextmanager
async def monitored(
    port: int, *, state: Callable[[], dict[str, Any] | None], metrics: Callable[[], bytes]
) -> AsyncGenerator[None]:
    """Answer probes and Prometheus on this port.

    Args:
        port: of all addresses.
        state: what /healthz tells; None while the process cannot do its work yet, for which
            /readyz answers 503. /healthz answers 200 as long as the process turns its loop.
        metrics: what /metrics answers.

    Raises:
        OSError: the port is taken.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response(state() or {})

    async def readyz(_: web.Request) -> web.Response:
        now = state()
        return web.json_response(now or {}, status=200 if now is not None else 503)

    lately = _Lately(metrics)

    async def give_metrics(_: web.Request) -> web.Response:
        return web.Response(body=lately(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", give_metrics)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_PATIENCE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()
