"""What carries requests to a server: plain connections where they will do, else httpx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import httpx

from training_sandbox._causes import root_cause
from training_sandbox._direct import (
    CONNECT_SECONDS,
    KEEPALIVE_SECONDS,
    MOST_IDLE,
    DirectWire,
    Response,
)
from training_sandbox._exceptions import ConnectionFailed, InvalidRequest
from training_sandbox._tls import tls_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training_sandbox._server import Server

_HTTP_PORT = 80


class Wire(Protocol):
    """Carries requests to one server."""

    async def post(self, path: str, headers: Mapping[str, str], content: bytes) -> Response:
        """Send a request and read its answer.

        Raises:
            ConnectionFailed: there is none.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def wire_to(server: Server) -> Wire:
    """Return the cheapest that reaches the server.

    Raises:
        InvalidRequest: its address is no URL.
    """
    try:
        url = httpx.URL(server.base_url)
    except httpx.InvalidURL as error:
        raise InvalidRequest(f"not a server's address: {error}") from error
    plain = url.scheme == "http" and not url.userinfo
    if not plain or server.transport or server.environment_proxies:
        return _HttpxWire(server)
    root = url.raw_path.decode().rstrip("/") + "/"
    return DirectWire(url.host, url.port or _HTTP_PORT, url.netloc.decode(), root)


class _HttpxWire:
    """Through a tunnel, TLS or a proxy."""

    def __init__(self, server: Server) -> None:
        self._http = httpx.AsyncClient(
            base_url=server.base_url,
            transport=server.transport,
            limits=httpx.Limits(
                max_connections=None,
                max_keepalive_connections=MOST_IDLE,
                keepalive_expiry=KEEPALIVE_SECONDS,
            ),
            verify=tls_context(),
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            trust_env=server.environment_proxies,
        )

    async def post(self, path: str, headers: Mapping[str, str], content: bytes) -> Response:
        try:
            response = await self._http.post(f"/{path}", headers=headers, content=content)
        except httpx.RequestError as error:
            raise ConnectionFailed(
                f"{path}: no answer from {self._http.base_url}: {root_cause(error)}"
            ) from error
        return Response(response.status_code, response.headers, response.content)

    async def close(self) -> None:
        await self._http.aclose()
