"""A connection to the Kubernetes API: kr8s, with the types that it leaves open."""

from __future__ import annotations

import asyncio
import os
import tempfile
import warnings
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast
from weakref import WeakKeyDictionary

import anyio
import httpx
from kr8s import APITimeoutError, ServerError
from kr8s.asyncio import api as kr8s_api
from yaml import YAMLError

from training_sandbox._causes import root_cause
from training_sandbox._exceptions import ClusterUnavailable
from training_sandbox._retry import Deadline

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping
    from contextlib import AbstractAsyncContextManager

CONNECT_SECONDS = 60.0
FIRST_TRY_SECONDS = 5.0
"""What is sent before a pod's node knows its way to the API server is never answered."""

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_WITHOUT_A_CLUSTER = (
    "Set KUBECONFIG to use a cluster; without one, endpoint='http://host:port' (tsb: --endpoint) "
    "talks to a running server and local=True (tsb: --local) starts one on this machine."
)

_connecting: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

# kr8s warns of every Kubernetes that is newer than itself; we use stable parts of the API only.
warnings.filterwarnings("ignore", message=r"Kubernetes version \S+ is not supported\.")


class _Kubeconfig(Protocol):
    def get_context(self, context_name: str) -> Mapping[str, object]: ...


class KubernetesAuth(Protocol):
    """Where the API server is, and what it accepts us by."""

    server: str
    token: str | None
    tls_server_name: str | None
    active_context: str
    kubeconfig: _Kubeconfig
    client_key_file: str | Path | None
    client_cert_file: str | Path | None
    server_ca_file: str | Path | None

    @property
    def proxy(self) -> str | None:
        """The kubeconfig's proxy."""
        ...

    async def ssl_context(self) -> ssl.SSLContext | bool:
        """Return the context for TLS; True for the machine's own authorities."""
        ...

    async def reauthenticate(self) -> None:
        """Read the credentials anew."""
        ...


class KubernetesApi(Protocol):
    """The part of kr8s' client that this package uses."""

    auth: KubernetesAuth

    @property
    def namespace(self) -> str:
        """The namespace of the current context."""
        ...

    def call_api(
        self,
        method: str,
        *,
        version: str,
        url: str,
        namespace: str | None,
        stream: bool,
        content: str | None,
        params: Mapping[str, str] | None,
        timeout: httpx.Timeout,
        raise_for_status: bool,
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """Send a request; errors of the API come as kr8s.ServerError where they are raised."""
        ...


@dataclass(slots=True)
class Connection:
    """An API server that has accepted us.

    Attributes:
        api: the client.
        namespace: the one that is meant when none is named.
        tls: for connections apart from the client's own.
    """

    api: KubernetesApi
    namespace: str
    tls: ssl.SSLContext | bool

    @asynccontextmanager
    async def request(
        self,
        method: str,
        path: str,
        *,
        version: str,
        timeout: httpx.Timeout,  # noqa: ASYNC109 (httpx has four)
        namespace: str | None = None,
        content: str | None = None,
        params: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> AsyncGenerator[httpx.Response]:
        """Send a request and yield its answer, of whatever status; one of an error has its body.

        Raises:
            ClusterUnavailable: there is no answer.
        """
        send = partial(
            self.api.call_api,
            method,
            version=version,
            url=path,
            namespace=namespace,
            stream=stream,
            content=content,
            params=params,
            timeout=timeout,
        )
        try:
            async with send(raise_for_status=False) as response:
                if response.status_code != HTTPStatus.UNAUTHORIZED:
                    if response.is_error:
                        await response.aread()
                    yield response
                    return
            # To renew credentials kr8s closes the session that all in this loop share, and it
            # does so at each 403 too: so it sees an error only where they may have expired.
            async with send(raise_for_status=True) as response:
                yield response
        except ServerError as error:
            if error.response is None:
                raise ClusterUnavailable(
                    f"the Kubernetes API fails: {error}", passing=True
                ) from error
            yield error.response
        except (httpx.HTTPError, APITimeoutError, OSError) as error:
            raise ClusterUnavailable(
                f"the Kubernetes API does not answer: {root_cause(error)}", passing=True
            ) from error

    async def renew(self) -> None:
        """Read the credentials anew, after the API server has refused them."""
        await self.api.auth.reauthenticate()
        self.tls = await _tls_without_litter(self.api.auth)


async def connect(kubeconfig: str | None, context: str | None) -> Connection:
    """Connect as kubectl would: kubeconfig, its context, or the pod's service account.

    Raises:
        ClusterUnavailable: there are no credentials, or no API server answers.
    """
    # Never without arguments: kr8s then hands out whichever client this loop made before.
    path = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    one_at_a_time = _connecting.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    try:
        async with one_at_a_time:
            return await _try_to_connect(path, context)
    except (ServerError, APITimeoutError, TimeoutError) as error:
        raise ClusterUnavailable(
            "the Kubernetes API refuses or does not answer: "
            f"{str(error) or f'not within {CONNECT_SECONDS:g} s'}"
        ) from error
    except (YAMLError, TypeError) as error:  # kr8s takes any file for a kubeconfig
        raise ClusterUnavailable(
            f"no Kubernetes cluster: {path} is no kubeconfig. {_WITHOUT_A_CLUSTER}"
        ) from error
    except (ValueError, LookupError, RuntimeError, OSError, httpx.HTTPError) as error:
        raise ClusterUnavailable(
            f"no Kubernetes cluster: {root_cause(error)} (kubeconfig {path}). {_WITHOUT_A_CLUSTER}"
        ) from error


async def _try_to_connect(path: str, context: str | None) -> Connection:
    """Connect, by another connection where one is not answered; each is given twice as long.

    Raises:
        TimeoutError: none was answered in time.
    """
    deadline, seconds = Deadline.after(CONNECT_SECONDS), FIRST_TRY_SECONDS
    while True:
        try:
            async with asyncio.timeout(min(seconds, deadline.remaining())):
                api = cast("KubernetesApi", await kr8s_api(kubeconfig=path, context=context))
                namespace = await _default_namespace(api, context)
                return Connection(api, namespace, await _tls_without_litter(api.auth))
        except TimeoutError:
            seconds *= 2
            if not deadline.remaining():
                raise


async def _tls_without_litter(auth: KubernetesAuth) -> ssl.SSLContext | bool:
    """Return the TLS context; remove the temporary files that kr8s made for it, and keeps.

    They hold the kubeconfig's key. kr8s reads them for its own connection before it hands out
    the client, and writes new ones whenever it reads the credentials anew.
    """
    context = await auth.ssl_context()
    for file in (auth.client_key_file, auth.client_cert_file, auth.server_ca_file):
        if file and Path(file).parent == Path(tempfile.gettempdir()):
            await anyio.Path(file).unlink(missing_ok=True)
    return context


async def _default_namespace(api: KubernetesApi, context: str | None) -> str:
    """Return the named context's namespace, in a pod the pod's own: kr8s knows neither."""
    service_account = anyio.Path(_SERVICE_ACCOUNT)
    if not api.auth.active_context and await service_account.exists():
        return (await service_account.read_text()).strip()
    if context:
        named = api.auth.kubeconfig.get_context(context).get("namespace")
        return named if isinstance(named, str) else "default"
    return api.namespace
