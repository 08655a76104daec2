"""The HTTP library's server, with signals and the end of the process left to us."""

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_BACKLOG = 2048
_LAST_ANSWERS_SECONDS = 2
_KEEP_ALIVE_SECONDS = 900
"""A policy may think long between two steps, and a client's next request on a connection that was
just closed fails."""


class ListenError(Exception):
    """The address cannot be listened on; the text says why."""


class _Connection(HttpToolsProtocol):
    """A connection on which the head and the body of an answer are one packet, not two."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_JoinedWrites(transport))  # type: ignore[arg-type]


class _JoinedWrites:
    """A transport that writes what is given to it in one turn of the loop at once."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        # Nobody reads any more what was answered when the client left.
        if not self._transport.is_closing():
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()


class HTTPServer(uvicorn.Server):
    """Serves until `stop`.

    Args:
        app: The application.
        on_signal: Called on SIGTERM and SIGINT, which do not end the server by themselves: a
            draining server still answers.
    """

    def __init__(self, app: ASGIApp, on_signal: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                http=_Connection,
                ws="none",
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
            )
        )
        self._on_signal = on_signal

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (uvicorn's)
        """React to a signal; uvicorn would close the listening socket at once."""
        self._on_signal()

    def stop(self) -> None:
        """Let `serve` return once the answers that are under way are sent."""
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; its port is a free one if 0 is asked for.

    Raises:
        ListenError: The address is no address, or taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # asyncio sets TCP_NODELAY on what is accepted only if the protocol is named.
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise ListenError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    return listener


def url(listener: socket.socket) -> str:
    """The address of a listening socket, as a client on this machine writes it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def end_at_once_on_signals() -> None:
    """Until the server handles signals: end, which process 1 does not do by default."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)


def _exit(number: int, _: FrameType | None) -> None:
    raise SystemExit(0 if number == signal.SIGTERM else 128 + number)
