"""What every request passes before it is answered: path, token, size, and incarnation's name."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from training_sandbox_server.bearer_tokens import Doorkeeper
from training_sandbox_server.error_answers import ErrorAnswers
from training_sandbox_server.errors import (
    PayloadTooLargeError,
    SandboxError,
    another_incarnation,
)

Verb = Callable[[str, bytes], Awaitable[Response]]
"""Answers a content type and a body."""

MAX_BODY_BYTES = 4 * 1024 * 1024

_MOST_DISCARDED_BYTES = 64 * 1024 * 1024
"""A body that is too large is read to its end up to here: most clients read no answer before."""

INCARNATION_HEADER = "x-sandbox-incarnation"
EXPECTED_INCARNATION_HEADER = "x-sandbox-expect-incarnation"

log = logging.getLogger(__name__)


class Gateway:
    """Calls the verbs, and wraps the application, which answers all else.

    Double and trailing slashes in a path do not matter. Who may not call is refused before the
    body is read. A body is read whole before it is parsed, and refused beyond `MAX_BODY_BYTES`,
    whether or not its length was announced. A request that expects another incarnation goes no
    further.

    Args:
        app: The application.
        verbs: By their paths.
        incarnation: Put into a header of every answer.
        errors: Answer what is refused here.
        doorkeeper: Knows who may call; None where everybody may.
    """

    def __init__(
        self,
        app: ASGIApp,
        verbs: Mapping[str, Verb],
        incarnation: str,
        errors: ErrorAnswers,
        doorkeeper: Doorkeeper | None,
    ) -> None:
        self._app = app
        self._verbs = verbs
        self._doorkeeper = doorkeeper
        self._incarnation = incarnation
        self._header = (INCARNATION_HEADER.encode(), incarnation.encode())
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection of ASGI; only HTTP is served."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), self._header]
            await send(message)

        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        scope["path"] = path = "/" + "/".join(part for part in scope["path"].split("/") if part)
        if (answer := self._dismissal(path, headers)) is not None:
            await answer(scope, receive, send_with_header)
            return
        body = await _read_body(headers, receive)
        verb = self._verbs.get(path) if scope["method"] == "POST" else None
        if (answer := self._refusal(headers, body)) is not None:
            await answer(scope, receive, send_with_header)
        elif verb is None:
            await self._app(scope, _Replay(body or b"", receive), send_with_header)
        else:
            content_type = _text(headers, "content-type")
            response = await self._answer(verb(content_type, body or b""))
            await response(scope, receive, send_with_header)

    def _dismissal(self, path: str, headers: Mapping[bytes, bytes]) -> Response | None:
        if self._doorkeeper is None:
            return None
        try:
            self._doorkeeper.check(path, _text(headers, "authorization"))
        except SandboxError as error:
            return self._errors.answer(error)
        return None

    def _refusal(self, headers: Mapping[bytes, bytes], body: bytes | None) -> Response | None:
        if body is None:
            error = PayloadTooLargeError(f"a body has at most {MAX_BODY_BYTES} bytes")
            return self._errors.answer(error, headers={"Connection": "close"})
        expected = _text(headers, EXPECTED_INCARNATION_HEADER)
        if expected and expected != self._incarnation:
            return self._errors.answer(another_incarnation(expected))
        return None

    async def _answer(self, answer: Awaitable[Response]) -> Response:
        try:
            return await answer
        except SandboxError as error:
            return self._errors.answer(error)
        except Exception:
            log.exception("a verb failed")
            return self._errors.unexpected()


class _Replay:
    """The `receive` of a request whose body was read already."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def _text(headers: Mapping[bytes, bytes], name: str) -> str:
    """A header's value; empty if there is none."""
    return headers.get(name.encode(), b"").decode("latin-1")


async def _read_body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes | None:
    """The body; None if it is too large."""
    announced = _text(headers, "content-length")
    if announced.isdecimal() and int(announced) > _MOST_DISCARDED_BYTES:
        return None
    body = bytearray()
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY_BYTES:
            body += part
        if size > _MOST_DISCARDED_BYTES or not message.get("more_body", False):
            return bytes(body) if size <= MAX_BODY_BYTES else None
