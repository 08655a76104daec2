"""Connections to a server that cost next to nothing.

A tenth of a millisecond of processor time a call, where aiohttp takes five and httpx thirty: what
the client takes of two cores would count as the server's.
"""

import asyncio
import json
from collections import deque
from typing import Any
from urllib.parse import urlsplit

_END_OF_HEAD = b"\r\n\r\n"


class Connections:
    """Sends JSON to one server over connections that are kept, as many as calls run at once.

    Args:
        url: Of the server, `http://HOST:PORT`.
        seconds: The deadline of a call.
    """

    def __init__(self, url: str, seconds: float) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._seconds = seconds
        self._idle: deque[_Connection] = deque()

    async def post(self, path: str, content: object) -> tuple[int, Any]:
        """The status and the JSON that answer a POST.

        Raises:
            OSError: There is no answer.
        """
        body = json.dumps(content).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection = self._idle.pop() if self._idle else await self._connect()
        async with asyncio.timeout(self._seconds):
            answer = await connection.exchange(head.encode() + body)
        self._idle.append(connection)
        return int(answer[9:12]), json.loads(answer.partition(_END_OF_HEAD)[2])

    def close(self) -> None:
        """Close those that wait."""
        while self._idle:
            self._idle.pop().close()

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection


class _Connection(asyncio.Protocol):
    """One exchange at a time; an answer must say how long it is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = bytearray()
        self._answer: asyncio.Future[bytes] | None = None

    def exchange(self, request: bytes) -> "asyncio.Future[bytes]":
        """The answer to a request, head and body."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(_END_OF_HEAD)
        if not end or len(body) < _length(bytes(head)):
            return
        answer, self._received = bytes(self._received), bytearray()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
