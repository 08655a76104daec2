"""One call of a verb: attempts, deadline, and the answer or the error in the end."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import anyio
import httpx

from training_sandbox._answers import Answer, read_answer
from training_sandbox._causes import root_cause
from training_sandbox._exceptions import (
    CallTimedOut,
    ConnectionFailed,
    EpisodeLost,
    InvalidRequest,
    SandboxDraining,
    TrainingSandboxError,
    Unavailable,
)
from training_sandbox._json import JsonObject, plain
from training_sandbox._retry import UNANSWERED, Deadline, RetryPolicy
from training_sandbox._tls import tls_context

if TYPE_CHECKING:
    from training_sandbox._server import Provider, Server

logger = logging.getLogger("training_sandbox")

CONNECT_SECONDS = 10.0
PATIENCE_SECONDS = 30.0
"""How long connection trouble may last on end before a call gives up."""

LEAST_ATTEMPT_SECONDS = 1.0
ATTEMPT_SHARE = 1 / 3
"""Share of the deadline for one attempt, so that a connection which died in silence is noticed.
The server lets a second attempt join the execution of the first."""

_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=4.0)


class Caller:
    """Sends verbs to one server.

    Args:
        server: where it answers.
        provider: asked why, when the server cannot be reached.
        request_timeout: seconds, the deadline of each call, waits and attempts included.
    """

    def __init__(self, server: Server, provider: Provider, request_timeout: float) -> None:
        self._provider = provider
        self._request_timeout = request_timeout
        self._http = httpx.AsyncClient(
            base_url=server.base_url,
            transport=server.transport,
            limits=_LIMITS,
            verify=tls_context(),
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            trust_env=server.environment_proxies,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(
        self,
        verb: str,
        body: JsonObject,
        *,
        waits_out: tuple[type[Unavailable], ...] = (),
        incarnation: str | None = None,
    ) -> Answer:
        """Send a verb until it is answered.

        Args:
            verb: the path without its slash.
            body: sent as JSON.
            waits_out: the refusals that may pass before the deadline.
            incarnation: the server's life that the call is about, if it is about one.

        Raises:
            EpisodeLost: another incarnation answers.
            TrainingSandboxError: the server's refusal, or why there is no answer.
        """
        deadline = Deadline.after(self._request_timeout)
        longest = self._request_timeout * ATTEMPT_SHARE
        least = min(LEAST_ATTEMPT_SECONDS, longest)
        policy = RetryPolicy(deadline, PATIENCE_SECONDS, least, waits_out)
        content = _encode(body)
        while True:
            try:
                return await self._attempt(verb, content, deadline, longest)
            except TrainingSandboxError as failure:
                if cause := await self._cause(failure, incarnation):
                    raise cause from failure
                pause = policy.pause_after(failure)
                if pause is None:
                    raise
                logger.info("%s; trying again in %.1f s", failure, pause)
            await anyio.sleep(pause)

    async def _cause(
        self, failure: TrainingSandboxError, incarnation: str | None
    ) -> TrainingSandboxError | None:
        """Return what is behind a failure: a server that was started anew, or is gone."""
        now = failure.details.get("incarnation")
        if incarnation and now and now != incarnation:
            return EpisodeLost(
                f"the episode's server has ended and was started anew (incarnation {incarnation}, "
                f"now {now})"
            )
        if isinstance(failure, (*UNANSWERED, SandboxDraining)):
            return await self._provider.explain()
        return None

    async def _attempt(
        self, verb: str, content: bytes, deadline: Deadline, longest: float
    ) -> Answer:
        seconds = min(longest, deadline.remaining())
        try:
            with anyio.fail_after(seconds):
                response = await self._http.post(
                    f"/{verb}", content=content, headers={"Content-Type": "application/json"}
                )
        except httpx.InvalidURL as error:
            raise InvalidRequest(f"not a server's address: {error}") from error
        except httpx.RequestError as error:
            raise ConnectionFailed(
                f"{verb}: no answer from {self._http.base_url}: {root_cause(error)}"
            ) from error
        except TimeoutError as error:
            raise CallTimedOut(f"{verb}: no answer for {seconds:.1f} s") from error
        return read_answer(response.status_code, response.headers, response.content)


def _encode(body: JsonObject) -> bytes:
    try:
        return json.dumps(plain(body), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"the request cannot be written as JSON: {error}") from error
