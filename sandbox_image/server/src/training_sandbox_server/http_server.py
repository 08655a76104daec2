"""The HTTP library's server, with signals and the end of the process left to us."""

import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

_BACKLOG = 2048
_LAST_ANSWERS_SECONDS = 2
_KEEP_ALIVE_SECONDS = 900
"""A policy may think long between two steps, and a client's next request on a connection that was
just closed fails."""


class ListenError(Exception):
    """The address cannot be listened on; the text says why."""


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
                http="httptools",
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
