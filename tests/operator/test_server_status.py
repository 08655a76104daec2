"""Asking a server: an answer is believed only if it is whole and of the pod that is meant."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.operator import builders as build
from training_sandbox_operator.cluster.server_status import ServerUnreachableError, ask_status
from training_sandbox_operator.model.server import ServerReply

WHOLE = {
    "success": True,
    "data": {
        "incarnation": f"{build.POD_UID}-2",
        "environment": "appworld",
        "phase": "serving",
        "slots": {"total": 16, "used": 3},
        "idle_seconds": 12.5,
        "task": None,
        "version": "0.1.0",
    },
}
TASK = {
    "task_id": "t1",
    "episode_id": "demo",
    "state": "terminated",
    "steps": 3,
    "reward": 1.0,
    "finished": True,
}


class Server:
    body: Any = WHOLE
    text: str | None = None


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def address(server: Server) -> AsyncIterator[str]:
    async def answer(_: web.Request) -> web.Response:
        if server.text is not None:
            return web.Response(text=server.text)
        return web.json_response(server.body)

    app = web.Application()
    app.router.add_get("/status", answer)
    async with TestServer(app) as running:
        yield str(running.make_url("")).rstrip("/")


async def ask(address: str) -> ServerReply:
    async with aiohttp.ClientSession() as session:
        return await ask_status(
            session,
            address,
            headers={},
            pod_uid=build.POD_UID,
            occasion="idle deadline",
            clock=lambda: build.CREATED,
        )


async def test_a_whole_answer_is_read(address: str) -> None:
    answer = await ask(address)
    assert answer == build.reply(build.CREATED, idle=12.5, used=3)


async def test_a_bound_task_is_read(server: Server, address: str) -> None:
    server.body = {**WHOLE, "data": {**WHOLE["data"], "task": TASK}}
    task = (await ask(address)).task
    assert task is not None
    assert (task.state, task.steps, task.reward, task.is_finished) == ("terminated", 3, 1.0, True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"idle_seconds": -1}, "data.idle_seconds"),
        ({"idle_seconds": "NaN"}, "data.idle_seconds"),
        ({"slots": {"total": 16}}, "data.slots.used"),
        ({"task": {"state": "running"}}, "data.task.steps"),
        ({"incarnation": "another-0"}, "another pod"),
        ({"incarnation": build.POD_UID}, "another pod"),
    ],
)
async def test_an_answer_that_is_not_whole_is_none(
    server: Server, address: str, change: dict[str, Any], told: str
) -> None:
    server.body = {**WHOLE, "data": {**WHOLE["data"], **change}}
    with pytest.raises(ServerUnreachableError, match=told):
        await ask(address)


@pytest.mark.parametrize("text", ["", "<html>", "[]", '{"success": false, "detail": "no"}'])
async def test_an_answer_that_is_not_a_status_is_none(
    server: Server, address: str, text: str
) -> None:
    server.text = text
    with pytest.raises(ServerUnreachableError, match="malformed status"):
        await ask(address)


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(ServerUnreachableError, match=r"127\.0\.0\.1"):
        await ask("http://127.0.0.1:1")
