"""The way to a pod: its own address where that is routed, else through the API server."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio
import httpx

from training_sandbox._answers import INCARNATION_HEADER
from training_sandbox._exceptions import ConnectionFailed
from training_sandbox._manifest import PORT
from training_sandbox._tls import tls_context
from training_sandbox._tunnel import TunnelTransport

if TYPE_CHECKING:
    from training_sandbox._cluster import Cluster
    from training_sandbox._manifest import Instance

logger = logging.getLogger("training_sandbox")

DIRECT_SECONDS = 1.5
PATIENT_SECONDS = 10.0
TUNNEL_SECONDS = 30.0

_not_routed: set[str] = set()
"""API servers of the clusters whose pods this process found it cannot reach directly."""
_routed: set[str] = set()
"""Those of which it has reached one directly."""


async def reach(
    cluster: Cluster, instance: Instance
) -> tuple[str, httpx.AsyncBaseTransport | None]:
    """Return the URL of an instance's server and what carries requests to it.

    The first instance of a cluster decides for the later ones of this process when the direct
    way fails; where it has worked, it is tried again for each, and with more patience where the
    other one is closed.

    Raises:
        ConnectionFailed: neither way works.
    """
    api_server = cluster.connection.api.auth.server
    if api_server not in _not_routed:
        if await _answers_directly(instance, DIRECT_SECONDS):
            _routed.add(api_server)
            logger.info("instance %s: directly at %s", instance.name, instance.endpoint)
            return instance.endpoint, None
        # Where a pod was reached before, this one's server is being started again, say.
        if api_server not in _routed:
            _not_routed.add(api_server)
            logger.info("pods of %s are not routed from here: port-forward from now on", api_server)
    url = f"http://{instance.pod_name}:{PORT}"
    transport = TunnelTransport(cluster.connection, instance.namespace, instance.pod_name, PORT)
    try:
        with anyio.fail_after(TUNNEL_SECONDS):
            await transport.handle_async_request(httpx.Request("GET", f"{url}/healthz"))
    except (httpx.RequestError, TimeoutError) as error:
        await transport.aclose()
        # In a pod there may be no right to port-forward, and a busy node answers late.
        if await _answers_directly(instance, PATIENT_SECONDS):
            _not_routed.discard(api_server)
            _routed.add(api_server)
            logger.info("instance %s: directly at %s, late", instance.name, instance.endpoint)
            return instance.endpoint, None
        raise ConnectionFailed(
            f"instance {instance.name} can be reached neither at {instance.endpoint} nor through "
            f"the API server: {error} (port-forward needs the verbs get and create on "
            "pods/portforward)"
        ) from error
    logger.info("instance %s: through the API server, pod %s", instance.name, instance.pod_name)
    return url, transport


async def _answers_directly(instance: Instance, seconds: float) -> bool:
    """Whether this very pod answers: the address may belong to another network here."""
    try:
        async with httpx.AsyncClient(
            timeout=seconds, trust_env=False, verify=tls_context()
        ) as http:
            answer = await http.get(f"{instance.endpoint}/healthz")
    except httpx.RequestError:
        return False
    pod_uid, _, _start = answer.headers.get(INCARNATION_HEADER, "").rpartition("-")
    return bool(pod_uid) and instance.incarnation.startswith(pod_uid)
