"""Asking servers in the background."""

import asyncio

import aiohttp
import pytest

from tests.operator import builders as build
from tests.operator.conftest import Clock, SandboxServer
from training_sandbox_operator.control.asking import Asker
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.decisions.actions import AskServer, BindTask
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.server import ServerReply, ServerSilence

QUESTION = AskServer(
    Key("research", "demo"), build.UID, build.POD_UID, "http://10.0.0.7:8000", "idle deadline"
)


@pytest.fixture
def answered() -> asyncio.Queue[Key]:
    return asyncio.Queue()


@pytest.fixture
def cache(answered: asyncio.Queue[Key]) -> Cache:
    cache = build.cache(answered.put_nowait)
    cache.store_instance(build.instance())
    answered.get_nowait()
    return cache


@pytest.fixture
def asker(session: aiohttp.ClientSession, cache: Cache, clock: Clock) -> Asker:
    return Asker(session, cache, clock)


@pytest.fixture(autouse=True)
def the_server_is_of_the_pod_that_is_meant(sandbox: SandboxServer) -> None:
    sandbox.incarnation = f"{build.POD_UID}-0"


async def answer(asker: Asker, cache: Cache, answered: asyncio.Queue[Key]) -> object:
    asker.ask(QUESTION)
    await asyncio.wait_for(answered.get(), 30)
    return cache.answer_of(build.UID)


async def test_an_answer_is_in_the_cache_when_the_key_is_looked_at(
    asker: Asker, cache: Cache, answered: asyncio.Queue[Key]
) -> None:
    assert isinstance(await answer(asker, cache, answered), ServerReply)


async def test_an_instance_is_asked_one_question_at_a_time(
    asker: Asker, cache: Cache, answered: asyncio.Queue[Key], sandbox: SandboxServer
) -> None:
    asker.ask(QUESTION)
    asker.ask(QUESTION)
    await answer(asker, cache, answered)
    assert sandbox.questions == 1


async def test_an_instance_may_be_asked_again_as_soon_as_its_answer_is_known(
    asker: Asker, cache: Cache, answered: asyncio.Queue[Key], sandbox: SandboxServer
) -> None:
    cache._on_change = lambda key: (asker.ask(QUESTION), answered.put_nowait(key))
    await answer(asker, cache, answered)
    await asyncio.wait_for(answered.get(), 30)
    await asker.close()
    assert sandbox.questions >= 2


async def test_silences_are_counted_until_there_is_an_answer(
    asker: Asker, cache: Cache, answered: asyncio.Queue[Key], sandbox: SandboxServer
) -> None:
    sandbox.is_down = True
    for failures in (1, 2, 3):
        silence = await answer(asker, cache, answered)
        assert isinstance(silence, ServerSilence)
        assert silence.failures == failures
    sandbox.is_down = False
    assert isinstance(await answer(asker, cache, answered), ServerReply)
    sandbox.is_down = True
    silence = await answer(asker, cache, answered)
    assert isinstance(silence, ServerSilence)
    assert silence.failures == 1


async def test_a_task_is_bound_while_as_many_are_asked_as_may_be(
    asker: Asker, cache: Cache, sandbox: SandboxServer
) -> None:
    for _ in range(64):
        await asker._asked.acquire()
    address, incarnation = "http://10.0.0.7:8000", f"{build.POD_UID}-0"
    instance = build.instance(taskId="t1")
    asker.ask(BindTask(instance, build.POD_UID, address, incarnation, "bind"))
    await asyncio.wait_for(asyncio.gather(*asker._under_way.values()), 30)
    assert cache.answer_of(build.UID) is not None
