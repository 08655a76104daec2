"""Asking servers in the background, so that one that does not answer holds nobody up."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime

import aiohttp

from training_sandbox_operator.cluster.server_status import (
    ServerUnreachableError,
    ask_status,
    bind_task,
)
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.places import Places
from training_sandbox_operator.decisions.actions import AskServer, BindTask
from training_sandbox_operator.decisions.questions import IDLE_OCCASION
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.server import ServerAnswer, ServerSilence

_log = logging.getLogger(__name__)

# One namespace has half of these places, see Places. A server that is silent keeps one for seconds.
_ASKED_AT_ONCE = 128
# To open a task may take minutes, in which nothing happens here.
_BOUND_AT_ONCE = 1024


class Asker:
    """Puts questions to servers and the answers into the cache, one question an instance at a time.

    Nobody waits to be told that a server is idle, and there may be thousands to be asked. So what
    somebody waits for has places of its own: why a server is not ready, or whether its task has
    ended, and that a task is opened. Of all places namespaces leave some to each other.

    Args:
        session: for the requests; belongs to the caller.
        cache: where the answers go.
        clock: the present time.
        headers_for: returns what shows the server of an incarnation that the operator asks.
        may_write: whether this process may change anything, which to bind a task is.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        cache: Cache,
        clock: Callable[[], datetime],
        headers_for: Callable[[str | None], Mapping[str, str]] = lambda _: {},
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._headers_for = headers_for
        self._session = session
        self._cache = cache
        self._may_write = may_write
        self._clock = clock
        self._asked_idle = Places(_ASKED_AT_ONCE)
        self._asked = Places(_ASKED_AT_ONCE)
        self._bound = Places(_BOUND_AT_ONCE)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        # The instances among them that wait for a place to be asked whether they are idle.
        self._in_no_hurry: set[str] = set()

    def ask(self, question: AskServer | BindTask) -> None:
        """Begin to ask, unless this instance is being asked already.

        A question that nobody waits for gives way to another one, until it has begun.
        """
        key, uid = _asked(question)
        before = self._under_way.get(uid)
        if before is not None:
            if _can_wait(question) or uid not in self._in_no_hurry:
                return
            before.cancel()
            self._in_no_hurry.discard(uid)
        elif _can_wait(question):
            self._in_no_hurry.add(uid)
        self._under_way[uid] = asyncio.create_task(self._ask(question, key, uid), name=f"ask {key}")

    async def close(self) -> None:
        """Drop the questions that have not been answered."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, question: AskServer | BindTask, key: Key, uid: str) -> None:
        try:
            async with self._places_for(question).take(key.namespace):
                self._in_no_hurry.discard(uid)
                if isinstance(question, BindTask) and not self._may_write():
                    return
                answer = await self._answer(question, uid)
        finally:
            # Before the answer is known of: the next plan may want to ask again at once.
            if self._under_way.get(uid) is asyncio.current_task():
                del self._under_way[uid]
        self._cache.store_answer(key, uid, answer)

    def _places_for(self, question: AskServer | BindTask) -> Places:
        if isinstance(question, BindTask):
            return self._bound
        return self._asked_idle if _can_wait(question) else self._asked

    async def _answer(self, question: AskServer | BindTask, uid: str) -> ServerAnswer:
        try:
            if isinstance(question, BindTask):
                return await bind_task(
                    self._session,
                    question.address,
                    task=_binding(question),
                    headers=self._headers_for(question.audience),
                    pod_uid=question.pod_uid,
                    occasion=question.occasion,
                    clock=self._clock,
                )
            return await ask_status(
                self._session,
                question.address,
                headers=self._headers_for(question.audience),
                pod_uid=question.pod_uid,
                occasion=question.occasion,
                clock=self._clock,
            )
        except ServerUnreachableError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001
            # A fault of this program must not leave the instance without any answer.
            _log.exception("%s cannot be asked", question.address)
            why = f"{type(error).__name__}: {error}"
        before = self._cache.answer_of(uid)
        failures = before.failures if isinstance(before, ServerSilence) else 0
        return ServerSilence(self._clock(), question.occasion, failures + 1, why)


def _asked(question: AskServer | BindTask) -> tuple[Key, str]:
    if isinstance(question, BindTask):
        return question.instance.key, question.instance.uid
    return question.instance_key, question.instance_uid


def _can_wait(question: AskServer | BindTask) -> bool:
    """Return whether nobody waits for the answer."""
    return isinstance(question, AskServer) and question.occasion == IDLE_OCCASION


def _binding(question: BindTask) -> dict[str, object]:
    """Return the body of /bind: the task is played under the instance's name."""
    instance = question.instance
    return {
        "env_type": instance.env_type,
        "task_id": instance.task_id,
        "instance_id": instance.key.name,
        "params": instance.spec.get("params", {}),
        "incarnation": question.incarnation,
    }
