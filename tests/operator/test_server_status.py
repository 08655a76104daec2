"""Asking a server: an answer is believed only if it is whole and of the pod that is meant."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.operator import builders as build
from training_sandbox_operator.cluster.server_status import (
    ServerUnreachableError,
    ask_status,
    bind_task,
    session_for_servers,
)
from training_sandbox_operator.model.server import ServerReply, TaskRefusal

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


def refusal(kind: str, detail: str) -> dict[str, Any]:
    return {"success": False, "detail": detail, "error": {"type": kind}}


class Server:
    """What is answered.

    Attributes:
        text: instead of the body as JSON.
        parts: how many the answer is sent in, each when the one before has arrived.
        opening: has one for each task that is being opened.
        opens: when that comes to an end.
    """

    status = 200
    body: Any = WHOLE
    text: str | None = None
    parts = 1

    def __init__(self) -> None:
        self.opening: asyncio.Queue[None] = asyncio.Queue()
        self.opens = asyncio.Event()
        self.opens.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        content = (json.dumps(self.body) if self.text is None else self.text).encode()
        response = web.StreamResponse(status=self.status)
        await response.prepare(request)
        length = -(-len(content) // self.parts) or 1
        for begin in range(0, len(content), length):
            await response.write(content[begin : begin + length])
            await asyncio.sleep(0.05 if self.parts > 1 else 0)
        return response

    async def bind(self, request: web.Request) -> web.StreamResponse:
        self.opening.put_nowait(None)
        await self.opens.wait()
        return await self.answer(request)


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def address(server: Server) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/status", server.answer)
    app.router.add_post("/bind", server.bind)
    async with TestServer(app) as running:
        yield str(running.make_url("")).rstrip("/")


async def ask(address: str) -> ServerReply:
    async with session_for_servers() as session:
        return await ask_status(
            session,
            address,
            headers={},
            pod_uid=build.POD_UID,
            occasion="idle deadline",
            clock=lambda: build.CREATED,
        )


async def bind(address: str, incarnation: str = f"{build.POD_UID}-2") -> ServerReply | TaskRefusal:
    async with session_for_servers() as session:
        return await bind_task(
            session,
            address,
            task={"task_id": "t1", "instance_id": "demo", "incarnation": incarnation},
            headers={},
            pod_uid=build.POD_UID,
            occasion="binding",
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
        ({"idle_seconds": 1e300}, "data.idle_seconds"),
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


@pytest.mark.parametrize("parts", [2, 3])
async def test_an_answer_that_comes_in_parts_is_read_to_its_end(
    server: Server, address: str, parts: int
) -> None:
    server.parts = parts
    assert await ask(address) == build.reply(build.CREATED, idle=12.5, used=3)


async def test_a_refusal_that_comes_in_parts_has_its_reason(server: Server, address: str) -> None:
    server.status, server.parts = 404, 2
    server.body = refusal("unknown_task", f"there is no task {'t' * 20_000}")
    assert await bind(address) == TaskRefusal(
        build.CREATED, "binding", "UnknownTask", server.body["detail"]
    )


@pytest.mark.parametrize("call", [ask, bind])
async def test_an_answer_without_an_end_is_none(server: Server, address: str, call: Any) -> None:
    server.text = " " * (64 * 1024) + json.dumps(WHOLE)
    with pytest.raises(ServerUnreachableError, match="more than 65536 bytes"):
        await call(address)


async def test_a_task_is_opened_by_a_server_that_counts_less_starts_than_the_kubelet(
    server: Server, address: str
) -> None:
    """A first run of the container that never became a server is in the kubelet's number only."""
    server.body = {
        **WHOLE,
        "data": {**WHOLE["data"], "incarnation": f"{build.POD_UID}-0", "task": TASK},
    }
    answer = await bind(address, incarnation=f"{build.POD_UID}-1")
    assert isinstance(answer, ServerReply)
    assert answer.task is not None


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(ServerUnreachableError, match=r"127\.0\.0\.1"):
        await ask("http://127.0.0.1:1")


async def test_a_server_answers_while_many_others_open_tasks(server: Server, address: str) -> None:
    server.opens.clear()

    async def bind_without_haste() -> None:
        async with session.post(f"{address}/bind"):
            pass

    async with session_for_servers() as session, asyncio.TaskGroup() as bindings:
        for _ in range(110):  # more than aiohttp's sessions connect to by default
            bindings.create_task(bind_without_haste())
        for _ in range(110):
            await server.opening.get()
        async with session.get(f"{address}/status") as answer:
            assert answer.ok
        server.opens.set()
