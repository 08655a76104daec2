"""A TCP proxy that cuts connections where it is told to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cut(Enum):
    """Where a connection dies."""

    BEFORE_REQUEST = "the request never reaches the server"
    BEFORE_ANSWER = "the server has executed the request, nothing of its answer arrives"
    IN_ANSWER = "a part of the answer arrives"
    SILENT = "the request reaches the server, and the connection stays open and mute"


class CuttingProxy:
    """Forwards to a server; each connection takes the next cut of the script, then none."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._script: list[Cut] = []
        self._mute: list[socket.socket] = []
        self._served: list[threading.Thread] = []

    def cut_next(self, *cuts: Cut) -> None:
        """Cut the next requests like this, in order."""
        self._script.extend(cuts)

    def wait_until_closed(self) -> None:
        """Return when every connection so far that got its answer is closed."""
        for thread in self._served:
            if thread.is_alive():
                thread.join()

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port; yields the URL."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._served.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        """Forward one request and its answer; one connection carries one request."""
        with contextlib.suppress(OSError):
            request = _read_message(client)
            if not request:
                client.close()
                return
            cut = self._script.pop(0) if self._script else None
            if cut is Cut.BEFORE_REQUEST:
                _reset(client)
                return
            with socket.create_connection(self._target) as server:
                server.sendall(request)
                answer = _read_message(server)
            if cut is Cut.SILENT:
                self._mute.append(client)
                return
            if cut is Cut.BEFORE_ANSWER:
                _reset(client)
                return
            if cut is Cut.IN_ANSWER:
                client.sendall(answer[: len(answer) // 2])
                _reset(client)
                return
            client.sendall(answer)
            client.close()


def _read_message(connection: socket.socket) -> bytes:
    """Read one HTTP message: head, and as much body as its Content-Length says."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        chunk = connection.recv(65536)
        if not chunk:
            break
        body += chunk
    return head + b"\r\n\r\n" + body


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
