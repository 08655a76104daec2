"""The process: kopf logs in; the controller does the rest, once this process leads.

Of kopf only its ways to log in are used. Its handlers of events cost three fifths of the operator's
processor time while pods are made and claimed, and list everything once more at start; those that
keep state write annotations and finalizers on every object, and its peering is not leader election.
Ownership and the garbage collector end what is to end with an object: a finalizer would keep a
namespace from going while the operator is away.
"""

import asyncio
import dataclasses
import gc
import logging
import signal
from collections.abc import Coroutine
from os import environ
from typing import Any

import aiohttp
import kopf
import yaml

from training_sandbox_operator import __version__
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.control.catalogue_file import CatalogueFile
from training_sandbox_operator.control.clock import ClusterClock
from training_sandbox_operator.control.controller import Controller
from training_sandbox_operator.control.election import Election, Leadership, new_identity
from training_sandbox_operator.metrics import Metrics
from training_sandbox_operator.monitoring import monitored
from training_sandbox_operator.settings import Settings

_log = logging.getLogger(__name__)


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
        LeaseLostError: this process has led and must not any more.
        kopf.LoginError: there are no credentials.
        OSError: the port is taken.
    """
    catalogue = CatalogueFile(settings.catalogue)
    stopping = asyncio.Event()
    _heed_signals(stopping)
    metrics = Metrics(__version__)
    leadership = Leadership(is_contested=settings.lease is not None)
    clock = ClusterClock()
    async with (
        KubernetesApi(
            login,
            may_write_for=leadership.seconds_left,
            on_call=metrics.count_call,
            on_date=clock.observe,
        ) as api,
        aiohttp.ClientSession() as session,
    ):
        controller = Controller(
            api=api,
            session=session,
            catalogue=catalogue,
            namespaces=settings.namespaces,
            workers=settings.workers,
            clock=clock.now,
            metrics=metrics,
        )
        work = _Work(controller, leadership, metrics)
        async with monitored(settings.health_port, state=work.state, metrics=work.metrics):
            if settings.lease is None:
                await _until_one_ends(work.run(), stopping.wait())
                return
            election = Election(
                api=api,
                lease=settings.lease,
                seconds=settings.lease_seconds,
                leadership=leadership,
                identity=new_identity(),
            )
            await _stand(election, work, stopping)


async def _stand(election: Election, work: "_Work", stopping: asyncio.Event) -> None:
    """Do the work once elected; give the lease back before all that takes time at the end."""

    async def work_once_elected() -> None:
        await election.won.wait()
        await work.run()

    async def resign_when_stopping() -> None:
        await stopping.wait()
        await election.resign()

    try:
        await _until_one_ends(election.run(), work_once_elected(), resign_when_stopping())
    finally:
        await election.resign()


class _Work:
    """What the operator does while it leads, and what it tells of itself at any time.

    The cache is filled once the process leads, not before: lists that were read before the former
    leader's last write could tell of a pod that it had not made yet, or not claimed.
    """

    def __init__(
        self,
        controller: Controller,
        leadership: Leadership,
        metrics: Metrics,
    ) -> None:
        self._controller = controller
        self._leadership = leadership
        self._metrics = metrics
        self._is_synchronised = False

    async def run(self) -> None:
        await self._controller.synchronise()
        # With 10,000 instances a full collection stops everything for a second, and finds nothing.
        gc.collect()
        gc.freeze()
        self._is_synchronised = True
        _log.info("synchronised: %s", self._controller.vital_signs())
        await self._controller.run()

    def state(self) -> dict[str, Any] | None:
        """Return what /healthz tells; None while the process leads and knows nothing yet."""
        leads = self._leadership.seconds_left() > 0
        if not self._is_synchronised:
            return None if leads else {"leads": False, "controller": {}}
        return {"leads": leads, "controller": self._controller.vital_signs()}

    def metrics(self) -> bytes:
        """Return what /metrics tells."""
        self._metrics.set_leads(self._leadership.seconds_left() > 0)
        self._controller.set_gauges()
        return self._metrics.text()


def _heed_signals(stopping: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)


async def _until_one_ends(*parts: Coroutine[Any, Any, object]) -> None:
    """Run the parts until one of them ends, and end the others; raise what it raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()
