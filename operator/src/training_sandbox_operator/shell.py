"""The process: kopf logs in, watches and serves /healthz; the controller does the rest.

Of kopf only ``on.event`` is used. Its handlers that keep state write annotations and finalizers on
every object, its timers and daemons cost two tasks an object, its indexes do not scale, and its
peering is not leader election; a finalizer would also keep a namespace from going while the
operator is away. Ownership and the garbage collector do that work.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Coroutine
from os import environ
from typing import Any, cast

import aiohttp
import kopf
import yaml

from training_sandbox_operator.cluster.kopf_storage import NoDiffBase, NoProgress
from training_sandbox_operator.cluster.kubernetes_api import FIELD_MANAGER, KubernetesApi
from training_sandbox_operator.control.catalogue_file import CatalogueFile
from training_sandbox_operator.control.controller import Controller
from training_sandbox_operator.model.names import (
    GROUP,
    PLURAL,
    POD_SELECTOR,
    POOL_PLURAL,
    VERSION,
)
from training_sandbox_operator.settings import Settings

_log = logging.getLogger(__name__)


class WatchError(Exception):
    """The cluster cannot be watched; the process is to be started again, which is cheap."""


def login() -> kopf.ConnectionInfo:
    """Return the service account's credentials, or outside of a cluster the kubeconfig's.

    Raises:
        kopf.LoginError: there are neither, or the kubeconfig is broken.
    """
    settings = kopf.OperatorSettings()
    connection = kopf.login_with_service_account(settings=settings)
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if connection is not None and host and port:
        # By address, as client-go does: the operator works while the cluster's DNS does not.
        address = f"[{host}]" if ":" in host else host
        return dataclasses.replace(connection, server=f"https://{address}:{port}")
    try:
        connection = connection or kopf.login_with_kubeconfig(settings=settings)
    except (OSError, LookupError, yaml.YAMLError) as error:
        raise kopf.LoginError(f"the kubeconfig cannot be used: {error!r}") from error
    if connection is None:
        raise kopf.LoginError(
            "there is no service account and no kubeconfig: run in a cluster or set KUBECONFIG"
        )
    return connection


async def serve(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Raises:
        CatalogueError: the catalogue cannot be used.
        ApiError: the cluster cannot be listed: no CRD, no rights, no API server.
        WatchError: the cluster cannot be watched any more.
        kopf.LoginError: there are no credentials.
    """
    catalogue = CatalogueFile(settings.catalogue)
    async with KubernetesApi(login) as api, aiohttp.ClientSession() as session:
        controller = Controller(
            api=api,
            session=session,
            catalogue=catalogue,
            namespaces=settings.namespaces,
            workers=settings.workers,
        )
        await controller.synchronise()
        _log.info("synchronised: %s", controller.vital_signs())
        await _until_one_ends(controller.run(), _watch(controller, settings))


async def _watch(controller: Controller, settings: Settings) -> None:
    """Feed the controller from kopf's watches until SIGTERM or SIGINT.

    Raises:
        WatchError: a watch cannot go on, after kopf has tried for a while.
    """
    try:
        await kopf.operator(
            registry=_handlers(controller),
            settings=_kopf_settings(),
            standalone=True,
            # Else kopf looks for the user's name, which the user of a container need not have.
            identity=cast("Any", FIELD_MANAGER),
            clusterwide=settings.namespaces is None,
            namespaces=settings.namespaces or (),
            liveness_endpoint=f"http://0.0.0.0:{settings.health_port}/healthz",
        )
    except Exception as error:
        raise WatchError(f"the cluster cannot be watched any more: {error!r}") from error


async def _until_one_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Run the parts until one of them ends, and end the others; raise what it raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()


def _handlers(controller: Controller) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def log_in(**_: Any) -> kopf.ConnectionInfo:
        return login()

    @kopf.on.event(GROUP, VERSION, PLURAL, id="instances", registry=registry)
    async def observe_instance(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        controller.observe_instance(type, body)

    @kopf.on.event(GROUP, VERSION, POOL_PLURAL, id="pools", registry=registry)
    async def observe_pool(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        controller.observe_pool(type, body)

    @kopf.on.event("", "v1", "pods", id="pods", registry=registry)
    async def observe_pod(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        controller.observe_pod(type, body)

    @kopf.on.probe(id="controller", registry=registry)
    async def controller_state(**_: Any) -> dict[str, int]:
        return controller.vital_signs()

    return registry


def _kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    # A sleep between attempts cannot be cut short: better many short ones.
    settings.networking.error_backoffs = (0.1, 0.2, 0.5, 1, 1, 2, 2, 3, 3, 5, 5, 5, 5, 5, 5)
    settings.watching.server_timeout = 300
    settings.watching.connect_timeout = 5
    settings.watching.chunk_size = 500
    settings.watching.label_selectors["", "v1", "pods"] = POD_SELECTOR
    # The kubelet sends SIGKILL after the grace period; never outlive it.
    settings.process.ultimate_exiting_timeout = 20
    return settings


def configure_logging(level: str) -> None:
    """Log to stderr, one line a record; kopf only what is worth a warning."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    for name in ("kopf", "aiohttp.access", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
