"""The loop against a fake cluster, with a clock that stands still."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.operator import builders as build
from tests.operator.fake_cluster import FakeCluster
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.control.catalogue_file import CatalogueFile
from training_sandbox_operator.control.controller import Controller
from training_sandbox_operator.control.election import Leadership
from training_sandbox_operator.model.names import Key


class Clock:
    """A clock that only specifications move."""

    def __init__(self) -> None:
        self.now = build.CREATED

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Seconds:
    """A monotonic clock that only specifications move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Loop:
    """One life of the operator, driven until it has nothing more to do."""

    def __init__(self, controller: Controller, cluster: FakeCluster) -> None:
        self.controller = controller
        self._cluster = cluster

    async def settle(self) -> None:
        """Learn of everything and reconcile until nothing is left to do."""
        await self.controller.synchronise()
        await self.work()

    async def work(self) -> None:
        """Reconcile what is queued, and what comes of it."""
        controller, asker = self.controller, self.controller._asker
        for key in controller._deadlines.pop_due(controller._clock()):
            controller._queue.add(key)
        for key in controller._pool_deadlines.pop_due(controller._clock()):
            controller._pool_queue.add(key)
        for _ in range(100):
            if asker._under_way:
                await asyncio.gather(*asker._under_way.values(), return_exceptions=True)
            if not await self._work_on_one():
                await controller._recorder.flush()
                return
        raise AssertionError("the operator does not come to rest")

    async def _work_on_one(self) -> bool:
        controller = self.controller

        async def share_out(key: Key) -> None:
            controller._cache.pools.share_out(key)

        for queue, work in (
            (controller._claims, share_out),
            (controller._queue, controller._reconciler.reconcile),
            (controller._pool_queue, controller._pool_reconciler.reconcile),
        ):
            if len(queue):
                key = await queue.get()
                await work(key)
                queue.done(key)
                return True
        return False


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalogue_path(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.yaml"
    path.write_text('{environments: {appworld: {image: x}}, allowed: {images: ["*"]}}')
    return path


@pytest.fixture
async def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def leadership() -> Leadership:
    """There is one operator, unless a module's own fixture says otherwise."""
    return Leadership(is_contested=False)


@pytest.fixture
async def api(cluster: FakeCluster, leadership: Leadership) -> AsyncIterator[KubernetesApi]:
    async with TestServer(cluster.app()) as server:
        connection = kopf.ConnectionInfo(server=str(server.make_url("")), token="one")
        async with KubernetesApi(lambda: connection, may_write_for=leadership.seconds_left) as api:
            yield api


class SandboxServer:
    """The servers of all pods: whatever address is asked, this answers."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {
            "phase": "serving",
            "slots": {"total": 16, "used": 0},
            "idle_seconds": 0.0,
            "task": None,
        }
        self.incarnation = ""
        self.questions = 0
        self.is_down = False
        self.hangs = False
        self.asked = asyncio.Event()
        self.bindings: list[dict[str, Any]] = []
        self.refusal: tuple[int, str, str] | None = None
        self.takes_no_token = False
        self.authorizations: list[str | None] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.questions += 1
        self.authorizations.append(request.headers.get("Authorization"))
        self.asked.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.is_down:
            raise web.HTTPBadGateway
        if self.takes_no_token:
            raise web.HTTPUnauthorized
        return web.json_response(
            {"success": True, "data": {**self.data, "incarnation": self.incarnation}}
        )

    async def bind(self, request: web.Request) -> web.Response:
        """Answer /bind: with the status, or with the refusal's HTTP status, type and detail."""
        self.bindings.append(await request.json())
        if self.refusal is None:
            return await self.answer(request)
        status, kind, detail = self.refusal
        body = {"success": False, "detail": detail, "error": {"type": kind}}
        return web.json_response(body if kind else None, status=status)


@pytest.fixture
def sandbox() -> SandboxServer:
    return SandboxServer()


@pytest.fixture
async def session(sandbox: SandboxServer, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A session whose every request ends at the sandbox, whatever host it names."""
    app = web.Application()
    app.router.add_get("/status", sandbox.answer)
    app.router.add_post("/bind", sandbox.bind)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    socket = str(tmp_path / "sandbox.sock")
    await web.UnixSite(runner, socket).start()
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as session:
        yield session
    await runner.cleanup()


@pytest.fixture
def start_operator(
    api: KubernetesApi,
    cluster: FakeCluster,
    session: aiohttp.ClientSession,
    catalogue_path: Path,
    clock: Clock,
) -> Callable[..., Loop]:
    """Start another life of the operator, which knows nothing of the one before."""

    def start(signing_key: Key | None = None) -> Loop:
        controller = Controller(
            api=api,
            session=session,
            catalogue=CatalogueFile(catalogue_path),
            namespaces=("research",),
            workers=1,
            clock=clock,
            signing_key=signing_key,
        )
        return Loop(controller, cluster)

    return start


@pytest.fixture
def loop(start_operator: Callable[..., Loop]) -> Loop:
    return start_operator()
