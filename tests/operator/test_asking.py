"""Asking servers in the background."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from tests.operator import builders as build
from tests.operator.conftest import Clock, SandboxServer
from training_sandbox_operator.control.asking import Asker
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.places import Places
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


READINESS = replace(QUESTION, occasion="readiness since then")
BINDING = BindTask(
    build.instance(taskId="t1"), build.POD_UID, QUESTION.address, f"{build.POD_UID}-0", "bind"
)


@asynccontextmanager
async def all_taken(*rooms: Places) -> AsyncGenerator[None]:
    """Have all places held, each by a namespace of its own."""
    async with AsyncExitStack() as stack:
        for places in rooms:
            for number in range(places._free):
                await stack.enter_async_context(places.take(f"namespace {number}"))
        yield


async def until_asked(asker: Asker) -> None:
    await asyncio.wait_for(asyncio.gather(*asker._under_way.values()), 30)


async def test_why_a_server_is_not_ready_is_asked_while_as_many_are_asked_whether_they_are_idle(
    asker: Asker, cache: Cache
) -> None:
    async with all_taken(asker._asked_idle):
        asker.ask(READINESS)
        await until_asked(asker)
    assert isinstance(cache.answer_of(build.UID), ServerReply)


async def test_a_task_is_bound_while_as_many_are_asked_as_may_be(
    asker: Asker, cache: Cache
) -> None:
    async with all_taken(asker._asked_idle, asker._asked):
        asker.ask(BINDING)
        await until_asked(asker)
    assert cache.answer_of(build.UID) is not None


async def test_a_question_that_somebody_waits_for_comes_before_one_that_has_not_begun(
    asker: Asker, cache: Cache, sandbox: SandboxServer
) -> None:
    async with all_taken(asker._asked_idle):
        asker.ask(QUESTION)
        asker.ask(READINESS)
        await until_asked(asker)
        answer = cache.answer_of(build.UID)
        assert answer is not None
        assert answer.occasion == READINESS.occasion
    asker.ask(QUESTION)
    await until_asked(asker)
    assert sandbox.questions == 2


async def test_whether_a_server_is_idle_is_not_asked_instead_of_what_somebody_waits_for(
    asker: Asker, cache: Cache, sandbox: SandboxServer
) -> None:
    asker.ask(READINESS)
    asker.ask(QUESTION)
    await until_asked(asker)
    answer = cache.answer_of(build.UID)
    assert answer is not None
    assert answer.occasion == READINESS.occasion
    assert sandbox.questions == 1


@pytest.mark.parametrize("question", [QUESTION, READINESS, BINDING])
async def test_a_namespace_whose_servers_are_slow_holds_up_no_other(
    asker: Asker, cache: Cache, question: AskServer | BindTask
) -> None:
    places = asker._places_for(question)
    slow = [asyncio.create_task(hold(places, "slow")) for _ in range(2000)]
    await asyncio.sleep(0)
    asker.ask(question)
    await until_asked(asker)
    assert cache.answer_of(build.UID) is not None
    for one in slow:
        one.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def hold(places: Places, namespace: str) -> None:
    async with places.take(namespace):
        await asyncio.Event().wait()


async def test_a_question_that_fails_by_a_fault_is_answered_by_silence(
    session: aiohttp.ClientSession, cache: Cache, clock: Clock, answered: asyncio.Queue[Key]
) -> None:
    def fail(_: str | None) -> dict[str, str]:
        raise ZeroDivisionError

    silence = await answer(Asker(session, cache, clock, fail), cache, answered)
    assert isinstance(silence, ServerSilence)
    assert "ZeroDivisionError" in silence.error
