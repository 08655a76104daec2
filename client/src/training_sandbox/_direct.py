"""HTTP/1.1 to one server over plain TCP, for a fifth of what a general client costs a request.

A step may take the server a millisecond, and a trainer steps thousands of episodes from one
process; so here a request is one write, and nothing is done for it that a sandbox does not need:
no proxies, TLS, cookies, redirects or compression. h11 knows the protocol.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import h11

from training_sandbox._causes import root_cause
from training_sandbox._exceptions import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_SECONDS = 10.0
KEEPALIVE_SECONDS = 60.0
"""How long a connection may lie idle before it is not trusted any more: something on the way may
have forgotten it. The server keeps it for longer."""

MOST_IDLE = 64
_READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer; the names of its headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class DirectWire:
    """Carries requests; as many connections as there are requests at once.

    Args:
        host: name or address of the server.
        port: of the server.
        authority: the value of the Host header.
        root: what the path of every request begins with, ``/`` at its end.
    """

    def __init__(self, host: str, port: int, authority: str, root: str) -> None:
        self._host = host
        self._port = port
        self._authority = authority
        self._root = root
        self._idle: list[_Connection] = []

    async def post(self, path: str, headers: Mapping[str, str], content: bytes) -> Response:
        """Send a request and read its answer. A cancellation closes its connection.

        Raises:
            ConnectionFailed: there is no connection, or it ended before the answer did.
        """
        request = h11.Request(
            method="POST",
            target=self._root + path,
            headers=[
                ("Host", self._authority),
                ("Content-Length", str(len(content))),
                *headers.items(),
            ],
        )
        connection: _Connection | None = None
        try:
            connection = self._take() or await self._connect()
            response = await connection.exchange(request, content)
        except (OSError, h11.RemoteProtocolError) as error:
            _abort(connection)
            raise ConnectionFailed(
                f"{path}: no answer from http://{self._authority}: {root_cause(error)}"
            ) from error
        except BaseException:
            _abort(connection)
            raise
        self._give_back(connection)
        return response

    async def close(self) -> None:
        """Close the connections."""
        while self._idle:
            self._idle.pop().abort()

    async def _connect(self) -> _Connection:
        try:
            with anyio.fail_after(CONNECT_SECONDS):
                return _Connection(*await asyncio.open_connection(self._host, self._port))
        except TimeoutError as error:
            raise ConnectionError(f"not connected within {CONNECT_SECONDS:g} s") from error

    def _take(self) -> _Connection | None:
        """Return the connection that was used last, if it is still good."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable:
                return connection
            connection.abort()
        return None

    def _give_back(self, connection: _Connection) -> None:
        if connection.finish() and len(self._idle) < MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.abort()


class _Connection:
    """One connection, for one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = h11.Connection(h11.CLIENT)
        self._idle_since = 0.0

    @property
    def is_usable(self) -> bool:
        """Whether the server has not closed it, as far as is known."""
        fresh = time.monotonic() - self._idle_since < KEEPALIVE_SECONDS
        return fresh and not self._reader.at_eof() and not self._writer.is_closing()

    async def exchange(self, request: h11.Request, content: bytes) -> Response:
        """Send a request and read its whole answer."""
        protocol = self._protocol
        parts = (
            protocol.send(request),
            protocol.send(h11.Data(content)),
            protocol.send(h11.EndOfMessage()),
        )
        self._writer.write(b"".join(part for part in parts if part))
        await self._writer.drain()
        status, headers, body = 0, dict[str, str](), bytearray()
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                protocol.receive_data(await self._reader.read(_READ_BYTES))
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): text.decode("latin-1") for name, text in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return Response(status, headers, bytes(body))

    def finish(self) -> bool:
        """Make ready for the next request; False when there can be none."""
        if self._protocol.our_state is not h11.DONE or self._protocol.their_state is not h11.DONE:
            return False
        self._protocol.start_next_cycle()
        self._idle_since = time.monotonic()
        return True

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()


def _abort(connection: _Connection | None) -> None:
    if connection:
        connection.abort()
