"""A server that runs already, somewhere that HTTP reaches."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import count
from typing import TYPE_CHECKING
from urllib.request import getproxies

import anyio
import httpx

from training_sandbox._causes import root_cause
from training_sandbox._exceptions import ConnectionFailed, InvalidRequest, Unauthorized
from training_sandbox._retry import Deadline, pause_before
from training_sandbox._server import Server
from training_sandbox._tls import tls_context
from training_sandbox._token import TOKEN_VARIABLE

if TYPE_CHECKING:
    from training_sandbox._exceptions import TrainingSandboxError

FIRST_CONTACT_SECONDS = 5.0


class Endpoint:
    """A running server, which is neither started nor stopped.

    Args:
        url: ``http://host:port``.
        token: what the server lets calls in by; None for one that asks for none.
    """

    def __init__(self, url: str, token: str | None) -> None:
        self._url = url.rstrip("/")
        self._token = token

    async def start(self) -> Server:
        """Make sure that something answers at the address.

        Raises:
            InvalidRequest: the address is no URL.
            ConnectionFailed: nothing answers there.
        """
        try:
            proxied = bool(getproxies()) and not _is_loopback(httpx.URL(self._url).host)
            await self._contact(proxied=proxied)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise InvalidRequest(f"endpoint: 'http://host:port', not {self._url!r}") from error
        return Server(self._url, environment_proxies=proxied, token=self._token)

    async def _contact(self, *, proxied: bool) -> None:
        deadline = Deadline.after(FIRST_CONTACT_SECONDS)
        async with httpx.AsyncClient(
            verify=tls_context(), timeout=FIRST_CONTACT_SECONDS, trust_env=proxied
        ) as http:
            for attempt in count(1):
                pause = pause_before(attempt)
                try:
                    await http.get(f"{self._url}/healthz")
                except httpx.TransportError as error:
                    if isinstance(error, httpx.UnsupportedProtocol):
                        raise
                    if pause > deadline.remaining():
                        raise ConnectionFailed(
                            f"no server answers at {self._url}: {root_cause(error)}"
                        ) from error
                else:
                    return
                await anyio.sleep(pause)

    async def stop(self) -> None:
        """Leave the server running."""

    async def explain(self) -> TrainingSandboxError | None:
        """Know nothing about why the server cannot be reached."""
        return None

    async def token_after(self, refused: str | None, seconds: float) -> str | None:  # noqa: ARG002 (there is nothing to wait for)
        """Say where a token is to be given.

        Raises:
            Unauthorized: always; nobody but the caller knows another.
        """
        wrong = "takes no call without a token" if refused is None else "does not take this token"
        raise Unauthorized(
            f"the server at {self._url} {wrong}: give token= or set {TOKEN_VARIABLE} to the one in "
            "the Secret that the instance's status.tokenSecret names; a server that is started "
            "again has another one"
        )


def _is_loopback(host: str) -> bool:
    """Whether the host is this machine, which no proxy reaches."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
