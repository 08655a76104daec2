"""Asking servers in the background, so that one that does not answer holds nobody up."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import aiohttp

from training_sandbox_operator.cluster.server_status import ServerUnreachableError, ask_status
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.decisions.actions import AskServer
from training_sandbox_operator.model.server import ServerAnswer, ServerSilence

_AT_ONCE = 64


class Asker:
    """Puts questions to servers and the answers into the cache, one question an instance at a time.

    Args:
        session: for the requests; belongs to the caller.
        cache: where the answers go.
        clock: the present time.
    """

    def __init__(
        self, session: aiohttp.ClientSession, cache: Cache, clock: Callable[[], datetime]
    ) -> None:
        self._session = session
        self._cache = cache
        self._clock = clock
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def ask(self, question: AskServer) -> None:
        """Begin to ask, unless this instance is being asked already."""
        uid = question.instance_uid
        if uid in self._under_way:
            return
        self._under_way[uid] = asyncio.create_task(
            self._ask(question), name=f"ask {question.instance_key}"
        )

    async def close(self) -> None:
        """Drop the questions that have not been answered."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, question: AskServer) -> None:
        try:
            async with self._limit:
                answer = await self._answer(question)
        finally:
            # Before the answer is known of: the next plan may want to ask again at once.
            self._under_way.pop(question.instance_uid, None)
        self._cache.store_answer(question.instance_key, question.instance_uid, answer)

    async def _answer(self, question: AskServer) -> ServerAnswer:
        try:
            return await ask_status(
                self._session,
                question.address,
                pod_uid=question.pod_uid,
                occasion=question.occasion,
                clock=self._clock,
            )
        except ServerUnreachableError as error:
            before = self._cache.answer_of(question.instance_uid)
            failures = before.failures if isinstance(before, ServerSilence) else 0
            return ServerSilence(self._clock(), question.occasion, failures + 1, str(error))
