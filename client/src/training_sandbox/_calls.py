"""One call of a verb: attempts, deadline, and the answer or the error in the end."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, TypeVar

import anyio

from training_sandbox._answers import (
    EXPECTED_INCARNATION_HEADER,
    Answer,
    read_answer,
    read_json_lines,
)
from training_sandbox._exceptions import (
    CallTimedOut,
    EpisodeLost,
    InvalidRequest,
    SandboxDraining,
    TrainingSandboxError,
    Unauthorized,
    Unavailable,
)
from training_sandbox._json import JsonObject, plain
from training_sandbox._retry import UNANSWERED, Deadline, RetryPolicy
from training_sandbox._wire import wire_to

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from training_sandbox._direct import Response
    from training_sandbox._server import Provider, Server

T = TypeVar("T")

logger = logging.getLogger("training_sandbox")

PATIENCE_SECONDS = 30.0
"""How long connection trouble may last on end before a call gives up."""

LEAST_ATTEMPT_SECONDS = 1.0
ATTEMPT_SHARE = 1 / 3
"""Share of the deadline for one attempt, so that a connection which died in silence is noticed.
The server lets a second attempt join the execution of the first."""


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
        self._wire = wire_to(server)
        self._token = server.token

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()

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
            incarnation: the life of the server that the call is about, if it is about one: the
                next one answers that the episode is lost.

        Raises:
            TrainingSandboxError: the server's refusal, or why there is no answer.
        """
        return await self._send(verb, body, read_answer, waits_out, incarnation)

    async def json_lines(self, verb: str, body: JsonObject, *, incarnation: str | None) -> str:
        """Send a verb that is answered by JSON Lines; otherwise as ``call``."""
        return await self._send(verb, body, read_json_lines, (), incarnation)

    async def _send(
        self,
        verb: str,
        body: JsonObject,
        read: Callable[[Response], T],
        waits_out: tuple[type[Unavailable], ...],
        incarnation: str | None,
    ) -> T:
        deadline = Deadline.after(self._request_timeout)
        longest = self._request_timeout * ATTEMPT_SHARE
        least = min(LEAST_ATTEMPT_SECONDS, longest)
        policy = RetryPolicy(deadline, PATIENCE_SECONDS, least, waits_out)
        content = _encode(body)
        is_renewed = False
        while True:
            token = self._token
            try:
                seconds = min(longest, deadline.remaining())
                headers = _headers(token, incarnation)
                return read(await self._attempt(verb, headers, content, seconds))
            except TrainingSandboxError as failure:
                if cause := await self._cause(failure):
                    raise cause from failure
                if isinstance(failure, Unauthorized) and not is_renewed:
                    is_renewed = await self._renew_token(failure, token, incarnation, deadline)
                    if is_renewed:
                        continue
                pause = policy.pause_after(failure)
                if pause is None:
                    raise
                logger.info("%s; trying again in %.1f s", failure, pause)
            await anyio.sleep(pause)

    async def _cause(self, failure: TrainingSandboxError) -> TrainingSandboxError | None:
        """Return what is behind a failure, where the provider knows: a server that is gone."""
        if isinstance(failure, (*UNANSWERED, SandboxDraining, Unauthorized)):
            return await self._provider.explain()
        return None

    async def _renew_token(
        self,
        failure: Unauthorized,
        refused: str | None,
        incarnation: str | None,
        deadline: Deadline,
    ) -> bool:
        """Get the token of the server's next incarnation; return whether there is one.

        Raises:
            EpisodeLost: the call is about an incarnation that has ended.
        """
        present = failure.details.get("incarnation")
        if incarnation and present and present != incarnation:
            raise EpisodeLost(
                f"incarnation {incarnation} has ended, and all its episodes are lost",
                details=failure.details,
            ) from failure
        patience = min(PATIENCE_SECONDS, deadline.remaining())
        token = await self._provider.token_after(refused, patience)
        if token is None:
            return False
        self._token = token
        return True

    async def _attempt(
        self, verb: str, headers: Mapping[str, str], content: bytes, seconds: float
    ) -> Response:
        """Send the request once."""
        try:
            with anyio.fail_after(seconds):
                return await self._wire.post(verb, headers, content)
        except TimeoutError as error:
            raise CallTimedOut(f"{verb}: no answer for {seconds:.1f} s") from error


def _headers(token: str | None, incarnation: str | None) -> Mapping[str, str]:
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if incarnation:
        headers[EXPECTED_INCARNATION_HEADER] = incarnation
    return headers


def _encode(body: JsonObject) -> bytes:
    try:
        return json.dumps(plain(body), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"the request cannot be written as JSON: {error}") from error
