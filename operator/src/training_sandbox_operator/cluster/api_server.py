"""Requests to the API server, whatever they are about.

This is aiohttp with the credentials that kopf already has, not a client library: those at hand
cannot send preconditions with a deletion, and a request costs them five times the CPU.
"""

import asyncio
import math
import socket
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self, cast

import aiohttp
import kopf

from training_sandbox_operator.cluster.admission import Admission, Urgency
from training_sandbox_operator.cluster.errors import (
    NotLeadingError,
    OutdatedError,
    UnavailableError,
    error_of,
)
from training_sandbox_operator.cluster.fenced_body import FencedBody
from training_sandbox_operator.cluster.json_text import decode, encode
from training_sandbox_operator.cluster.outages import Outages
from training_sandbox_operator.cluster.watch_stream import Change, changes, watch_query
from training_sandbox_operator.model.names import FIELD_MANAGER

_TIMEOUT_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
# A status that waits for a TLS handshake is late; the API server itself closes after 90 s.
_KEEPALIVE_SECONDS = 60.0
# A leader stops writing 2 s before a lease of 10 s runs out, and the next one reads 1 s after that.
_SENT_WITHIN_MS = 2500
_PAGE_SIZE = 250
# What is made of a page takes up to thirty times its bytes, and there are two at a time.
_LONGEST_PAGE_BYTES = 4 * 2**20
_SHORTER = 10
_UNAUTHORIZED = 401
_BAD_REQUEST = 400
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_LONGEST_HOLD_SECONDS = 10.0
JSON = "application/json"

JsonDict = dict[str, Any]
OnCall = Callable[[str, str, int, float], None]
"""Told of each request: method, path, HTTP status (0: no answer), seconds."""
OnDate = Callable[[str, float], None]
"""Told of each answer: the API server's Date header, how many seconds the answer took."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Attributes:
        resource_version: of the whole list: it shows the cluster as it was then.
    """

    items: list[JsonDict]
    resource_version: int


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    query: Mapping[str, str]
    data: bytes | None
    kinds: Mapping[str, str]
    most_bytes: int | None


class _TooLongError(Exception):
    """An answer is longer than its caller wants it."""


class ApiServer:
    """The API server. An asynchronous context manager.

    Every method raises one of ``cluster.errors``.

    Args:
        login: returns fresh credentials; called again when the server refuses the old ones, as it
            does after the kubelet has rotated the service account's token.
        may_write_for: returns for how many seconds from now this process may write: it is asked
            before a write, which is given up then, and once more as its bytes go out. Leases are
            exempt.
        on_call: told of each request.
        on_date: told of each answer.
    """

    def __init__(
        self,
        login: Callable[[], kopf.ConnectionInfo],
        *,
        may_write_for: Callable[[], float] = lambda: math.inf,
        on_call: OnCall | None = None,
        on_date: OnDate | None = None,
    ) -> None:
        self._login = login
        self._may_write_for = may_write_for
        self._on_call = on_call
        self._on_date = on_date
        self._admission = Admission()
        self._outages = Outages()
        self._writes = 0
        self._nothing_is_written = asyncio.Event()
        self._nothing_is_written.set()

    async def __aenter__(self) -> Self:
        connection = self._login()
        self._authorization = connection.as_http_headers()
        self._session = aiohttp.ClientSession(
            base_url=connection.server.rstrip("/") + "/",
            connector=aiohttp.TCPConnector(
                limit=0,
                ssl=connection.as_ssl_context(),
                keepalive_timeout=_KEEPALIVE_SECONDS,
                socket_factory=_socket,
            ),
            headers={
                "User-Agent": FIELD_MANAGER,
                # To compress a list takes longer than to send it.
                "Accept-Encoding": "identity",
            },
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    def may_write(self) -> bool:
        """Return whether a write would be sent now."""
        return self._may_write_for() > 0

    async def until_back(self) -> None:
        """Wait until the API server answers again after it was away."""
        await self._outages.until_over()

    async def until_nothing_is_written(self) -> None:
        """Wait until no write is on its way."""
        await self._nothing_is_written.wait()

    async def watch(
        self, path: str, query: Mapping[str, str], since: int, accept: str = JSON
    ) -> AsyncIterator[Change]:
        """Yield what happens after a version, for a minute."""
        parameters = {**query, **watch_query(since)}
        seconds = float(parameters["timeoutSeconds"])
        timeout = aiohttp.ClientTimeout(total=seconds + _CONNECT_SECONDS, connect=_CONNECT_SECONDS)
        headers = {**self._authorization, "Accept": accept}
        try:
            async with self._session.get(
                path, params=parameters, headers=headers, timeout=timeout
            ) as response:
                self._take_note(response.status)
                if response.status >= _BAD_REQUEST:
                    text = await response.text()
                    if response.status == _UNAUTHORIZED:
                        self._authorization = self._login().as_http_headers()
                    retry_after = response.headers.get("Retry-After")
                    raise error_of(
                        response.status, _decode(text), text=text, retry_after=retry_after
                    )
                async for change in changes(response.content):
                    yield change
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self._outages.failed()
            raise UnavailableError(0, "Unreachable", f"watch {path}: {error!r}") from error

    async def list_pages(
        self, path: str, query: Mapping[str, str], accept: str = JSON
    ) -> AsyncGenerator[Page]:
        """Yield all objects of a path, so many at once; fewer where they are large.

        While one page is read the next one is on its way.
        """
        page = asyncio.create_task(self._page(path, query, accept, "", _PAGE_SIZE))
        try:
            while True:
                answer, size = await page
                metadata = answer["metadata"]
                position = metadata.get("continue", "")
                if position:
                    size = min(2 * size, _PAGE_SIZE)
                    page = asyncio.create_task(self._page(path, query, accept, position, size))
                    # Whoever reads this page may not let go of the loop: it is asked for now.
                    await asyncio.sleep(0)
                yield Page(answer.get("items") or [], int(metadata["resourceVersion"]))
                if not position:
                    return
        finally:
            page.cancel()
            await asyncio.gather(page, return_exceptions=True)

    async def _page(
        self, path: str, query: Mapping[str, str], accept: str, position: str, size: int
    ) -> tuple[JsonDict, int]:
        """Return a part of a list, and of how many objects at most it is: of fewer if need be."""
        parameters = dict(query)
        if position:
            parameters["continue"] = position
        while True:
            most_bytes = _LONGEST_PAGE_BYTES if size > 1 else None
            parameters["limit"] = str(size)
            try:
                answer = await self.request(
                    "GET", path, query=parameters, accept=accept, most_bytes=most_bytes
                )
            except _TooLongError:
                size = max(1, size // _SHORTER)
            else:
                return answer, size

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        accept: str = JSON,
        is_fenced: bool = True,
        urgency: Urgency = Urgency.FIRST,
        most_bytes: int | None = None,
        wanted_for: Callable[[], float] = lambda: math.inf,
    ) -> JsonDict:
        """Send a request, a write in its turn if it is still wanted then, and return the answer.

        ``wanted_for`` returns for how many seconds from now a write is.
        """
        parameters = {**(query or {})}
        if method in {"POST", "PUT", "PATCH"}:
            parameters["fieldManager"] = FIELD_MANAGER
        data = None if body is None else encode(body)
        kinds = {"Content-Type": content_type, "Accept": accept}
        call = _Call(method, path, parameters, data, kinds, most_bytes)
        is_write = is_fenced and method != "GET"
        send = partial(self._write, urgency, wanted_for) if is_write else self._send
        status, text, retry_after = await send(call)
        if status == _UNAUTHORIZED:
            self._authorization = self._login().as_http_headers()
            status, text, retry_after = await send(call)
        answer = _decode(text)
        if status >= _BAD_REQUEST:
            error = error_of(status, answer, text=text, retry_after=retry_after)
            if status == _TOO_MANY_REQUESTS:
                self._admission.hold(min(error.retry_after or 0, _LONGEST_HOLD_SECONDS))
            raise error
        if not answer:
            raise UnavailableError(
                0, "Unreadable", f"{method} {path}: no JSON object: {text[:100]}"
            )
        return answer

    async def _write(
        self, urgency: Urgency, wanted_for: Callable[[], float], call: _Call
    ) -> tuple[int, str, str | None]:
        """Send a write in its turn if this process may write, and for no longer than it may."""
        async with self._admission.enter(urgency):
            seconds = self._may_write_for()
            if seconds <= 0:
                message = f"{call.method} {call.path}: this process does not lead"
                raise NotLeadingError(0, "NotLeading", message)
            if wanted_for() <= 0:
                message = f"{call.method} {call.path}: its turn came too late"
                raise OutdatedError(0, "Outdated", message)
            self._writes += 1
            self._nothing_is_written.clear()
            try:
                fenced = FencedBody(call.data or b"", self.may_write)
                return await self._send(call, seconds, fenced)
            finally:
                self._writes -= 1
                if not self._writes:
                    self._nothing_is_written.set()

    async def _send(
        self, call: _Call, seconds: float = _TIMEOUT_SECONDS, fenced: FencedBody | None = None
    ) -> tuple[int, str, str | None]:
        headers = {**self._authorization, **call.kinds}
        timeout = aiohttp.ClientTimeout(
            total=min(seconds, _TIMEOUT_SECONDS), connect=_CONNECT_SECONDS
        )
        begin, status = time.perf_counter(), 0
        try:
            async with self._session.request(
                call.method,
                call.path,
                params=call.query,
                data=call.data if fenced is None else fenced,
                headers=headers,
                timeout=timeout,
            ) as response:
                if self._on_date is not None:
                    date = response.headers.get("Date", "")
                    self._on_date(date, time.perf_counter() - begin)
                text = await _read(response, call.most_bytes)
                status = response.status
                self._take_note(status)
                return status, text, response.headers.get("Retry-After")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self._outages.failed()
            raise UnavailableError(
                0, "Unreachable", f"{call.method} {call.path}: {error!r}"
            ) from error
        finally:
            if self._on_call is not None:
                self._on_call(call.method, call.path, status, time.perf_counter() - begin)

    def _take_note(self, status: int) -> None:
        if status >= _SERVER_ERROR:
            self._outages.failed()
        else:
            self._outages.answered()


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """Return a socket whose kernel does not send for minutes what the network has not taken.

    Args:
        address: as ``socket.getaddrinfo`` returns it.
    """
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    if sys.platform == "linux":
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SENT_WITHIN_MS)
    return made


async def _read(response: aiohttp.ClientResponse, most_bytes: int | None) -> str:
    if most_bytes is None:
        return await response.text()
    parts: list[bytes] = []
    async for part in response.content.iter_any():
        parts.append(part)
        most_bytes -= len(part)
        if most_bytes < 0:
            raise _TooLongError
    return b"".join(parts).decode()


def _decode(text: str) -> JsonDict:
    try:
        answer: Any = decode(text)
    except ValueError:
        return {}
    return cast("JsonDict", answer) if isinstance(answer, dict) else {}
