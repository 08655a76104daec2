"""HTTP to a pod through the API server: Kubernetes' port-forward as an httpx transport.

One WebSocket a connection, as the kubelet's port-forward protocol has it: every frame starts
with a channel's number, 0 for data and 1 for the text of an error, and the first frame of each
channel repeats the port. There is no local port: nobody else on the machine can use the tunnel,
and why a connection failed reaches the caller.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

import anyio
import httpcore
import httpx
from httpx_ws import AsyncWebSocketSession, HTTPXWSException, WebSocketUpgradeError, aconnect_ws
from wsproto.utilities import ProtocolError

from training_sandbox._causes import root_cause
from training_sandbox._direct import KEEPALIVE_SECONDS

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable
    from contextlib import AbstractAsyncContextManager

    from training_sandbox._kubernetes import Connection

SUBPROTOCOL = "v4.channel.k8s.io"
OPEN_SECONDS = 20.0
_DATA, _ERROR = 0, 1
_FRAME_BYTES = 1 << 18
_ENDED = (
    HTTPXWSException,
    ProtocolError,
    anyio.EndOfStream,
    anyio.ClosedResourceError,
    anyio.BrokenResourceError,
)


class TunnelTransport(httpx.AsyncBaseTransport):
    """Carries HTTP to one port of one pod.

    Args:
        connection: to the cluster's API server.
        namespace: the pod's.
        pod_name: whose server to reach; when the pod is gone, so is the tunnel.
        port: the port that the server listens on.
    """

    def __init__(self, connection: Connection, namespace: str, pod_name: str, port: int) -> None:
        self._forwarder = _Forwarder(connection, namespace, pod_name, port)
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=None,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=self._forwarder,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its whole answer."""
        try:
            response = await self._pool.request(
                request.method,
                str(request.url),
                headers=request.headers.raw,
                content=await request.aread(),
                extensions=request.extensions,
            )
        except httpcore.TimeoutException as error:
            raise httpx.ReadTimeout(str(error), request=request) from error
        except httpcore.ConnectError as error:
            raise httpx.ConnectError(str(error), request=request) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise httpx.ReadError(str(error), request=request) from error
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=httpx.ByteStream(response.content),
            request=request,
        )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()
        await self._forwarder.aclose()


class _Forwarder(httpcore.AsyncNetworkBackend):
    """Opens connections to the pod, whatever host they are asked for."""

    def __init__(self, connection: Connection, namespace: str, pod_name: str, port: int) -> None:
        self._connection = connection
        self._url = f"/api/v1/namespaces/{namespace}/pods/{pod_name}/portforward"
        self._port = port
        # Apart from kr8s' own client, whose pool the open connections would use up. The last one
        # has the credentials that hold; connections of those before may still be open.
        self._clients: list[httpx.AsyncClient] = []

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 (of the interface)
        port: int,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Open a port-forward; renew the credentials once when they have expired."""
        try:
            with anyio.fail_after(timeout or OPEN_SECONDS):
                try:
                    return await self._open(self._clients[-1] if self._clients else self._log_in())
                except WebSocketUpgradeError as error:
                    if error.response.status_code != HTTPStatus.UNAUTHORIZED:
                        raise
                await self._connection.renew()
                return await self._open(self._log_in())
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("port-forward: the API server does not answer") from error
        except WebSocketUpgradeError as error:
            raise httpcore.ConnectError(
                f"port-forward: the API server answers {error.response.status_code} "
                f"{error.response.reason_phrase}"
            ) from error
        except (HTTPXWSException, httpx.HTTPError, OSError) as error:
            raise httpcore.ConnectError(f"port-forward: {root_cause(error)}") from error

    async def sleep(self, seconds: float) -> None:
        """Sleep, for the pool's retries."""
        await anyio.sleep(seconds)

    async def aclose(self) -> None:
        """Close the clients that connections were opened with."""
        while self._clients:
            await self._clients.pop().aclose()

    def _log_in(self) -> httpx.AsyncClient:
        """Make the client of the credentials as they are now."""
        auth = self._connection.api.auth
        client = httpx.AsyncClient(
            base_url=auth.server,
            headers={"Authorization": f"Bearer {auth.token}"} if auth.token else {},
            verify=self._connection.tls,
            proxy=auth.proxy,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )
        self._clients.append(client)
        return client

    async def _open(self, client: httpx.AsyncClient) -> httpcore.AsyncNetworkStream:
        server_name = self._connection.api.auth.tls_server_name
        connection = _Connection(
            aconnect_ws(
                self._url,
                client,
                subprotocols=[SUBPROTOCOL],
                params={"ports": str(self._port)},
                extensions={"sni_hostname": server_name} if server_name else {},
            )
        )
        await connection.open()
        return connection


class _Connection(httpcore.AsyncNetworkStream):
    """One forwarded connection. A task of its own holds the WebSocket open.

    The session must be left by the task that entered it, while reads, writes and the end come
    from whichever task uses the connection.
    """

    def __init__(self, session: AbstractAsyncContextManager[AsyncWebSocketSession]) -> None:
        self._session = session
        self._closing = asyncio.Event()
        self._opened: asyncio.Future[AsyncWebSocketSession] = asyncio.Future()
        self._holder: asyncio.Task[None] | None = None
        self._announced: set[int] = set()
        self._unread = b""

    async def open(self) -> None:
        """Open the WebSocket; errors are those of httpx and httpx_ws."""
        self._holder = asyncio.create_task(self._hold(), name="port-forward")
        try:
            await asyncio.shield(self._opened)
        except BaseException:
            self._holder.cancel()
            raise

    async def _hold(self) -> None:
        try:
            async with self._session as websocket:
                self._opened.set_result(websocket)
                await self._closing.wait()
        except BaseExceptionGroup:
            # A broken connection: whoever reads or writes next finds it closed.
            self._closing.set()
        except (HTTPXWSException, httpx.HTTPError, OSError) as error:
            self._opened.set_exception(error)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Return what came from the pod; nothing at the end of the connection."""
        try:
            with anyio.fail_after(timeout):
                while not self._unread:
                    self._unread = self._payload(await self._websocket().receive_bytes())
        except TimeoutError as error:
            raise httpcore.ReadTimeout("port-forward: no data") from error
        except _ENDED:
            return b""
        chunk, self._unread = self._unread[:max_bytes], self._unread[max_bytes:]
        return chunk

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send bytes to the pod."""
        try:
            with anyio.fail_after(timeout):
                for start in range(0, len(buffer), _FRAME_BYTES):
                    frame = bytes([_DATA]) + buffer[start : start + _FRAME_BYTES]
                    await self._websocket().send_bytes(frame)
        except TimeoutError as error:
            raise httpcore.WriteTimeout("port-forward: the pod takes no data") from error
        except _ENDED as error:
            raise httpcore.WriteError("port-forward: the connection is closed") from error

    async def aclose(self) -> None:
        """Close the connection."""
        self._closing.set()
        if self._holder:
            await asyncio.wait([self._holder])

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,  # noqa: ARG002 (of the interface)
        server_hostname: str | None = None,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
    ) -> NoReturn:
        """Refuse: the API server's TLS is around the tunnel."""
        raise httpcore.UnsupportedProtocol("https through a port-forward")

    def get_extra_info(self, info: str) -> bool | None:
        """Say whether an idle connection is dead, which is all that the pool asks."""
        return self._closing.is_set() if info == "is_readable" else None

    def _websocket(self) -> AsyncWebSocketSession:
        if self._closing.is_set():
            raise anyio.ClosedResourceError
        return self._opened.result()

    def _payload(self, frame: bytes) -> bytes:
        channel = frame[0] if frame else _DATA
        if channel not in self._announced:
            self._announced.add(channel)
            return b""
        if channel == _ERROR:
            raise httpcore.ReadError(f"port-forward: {frame[1:].decode(errors='replace')}")
        return frame[1:]
