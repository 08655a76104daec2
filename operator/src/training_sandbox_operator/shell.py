"""The process: kopf logs in and watches pools; the controller does the rest, once it leads.

Of kopf only ``on.event`` is used, for the pools, and its credentials. Its handlers that keep state
write annotations and finalizers on every object, its timers and daemons cost two tasks an object,
its indexes do not scale, and its peering is not leader election; a finalizer would also keep a
namespace from going while the operator is away. Ownership and garbage collection do that work. Of
instances, pods and Secrets, of which there is so much more to tell, the controller's own feeds
tell: by kopf's handlers the pods cost three fifths of the operator's processor time while they are
made and claimed, and the instances a fifth of what was left.
"""

import asyncio
import dataclasses
import gc
import logging
import signal
from collections.abc import Coroutine
from os import environ
from typing import Any, cast

import kopf
import yaml

from training_sandbox_operator import __version__
from training_sandbox_operator.cluster.errors import (
    ExpiredError,
    RejectedError,
    UnavailableError,
)
from training_sandbox_operator.cluster.kopf_storage import NoDiffBase, NoProgress
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.cluster.server_status import session_for_servers
from training_sandbox_operator.control.catalogue_file import CatalogueFile
from training_sandbox_operator.control.clock import ClusterClock
from training_sandbox_operator.control.controller import Controller
from training_sandbox_operator.control.election import Election, Leadership, new_identity
from training_sandbox_operator.metrics import Metrics
from training_sandbox_operator.model.names import FIELD_MANAGER, GROUP, POOL_PLURAL, VERSION
from training_sandbox_operator.monitoring import monitored
from training_sandbox_operator.settings import Settings

_log = logging.getLogger(__name__)

# A server that starts may for seconds not know of any rights.
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 1.0


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
        SigningKeyError: the signing key cannot be used.
        ApiError: the cluster cannot be listed: no CRD, no rights, no API server.
        WatchError: the cluster cannot be watched any more.
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
        session_for_servers() as session,
    ):
        controller = Controller(
            api=api,
            session=session,
            catalogue=catalogue,
            namespaces=settings.namespaces,
            workers=settings.workers,
            clock=clock.now,
            metrics=metrics,
            signing_key=settings.signing_key,
        )
        work = _Work(controller, settings, stopping, leadership, metrics)
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
        settings: Settings,
        stopping: asyncio.Event,
        leadership: Leadership,
        metrics: Metrics,
    ) -> None:
        self._controller = controller
        self._settings = settings
        self._stopping = stopping
        self._leadership = leadership
        self._metrics = metrics
        self._is_synchronised = False

    async def run(self) -> None:
        await self._learn()
        # With 10,000 instances a full collection stops everything for a second, and finds nothing.
        gc.collect()
        gc.freeze()
        self._is_synchronised = True
        _log.info("synchronised: %s", self._controller.vital_signs())
        await _until_one_ends(
            self._controller.run(), _watch(self._controller, self._settings, self._stopping)
        )

    async def _learn(self) -> None:
        """Learn of everything; a server that has only just come back gets some time for it.

        Nothing of it is garbage, and to look for some takes longer than all the rest.
        """
        gc.disable()
        try:
            await self._synchronise()
        finally:
            gc.enable()

    async def _synchronise(self) -> None:
        give_up_at = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while True:
            try:
                return await self._controller.synchronise()
            except (UnavailableError, RejectedError, ExpiredError) as error:
                if asyncio.get_running_loop().time() > give_up_at:
                    raise
                _log.warning("the cluster was not listed: %s", error)
                await asyncio.sleep(_PAUSE_SECONDS)

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


async def _watch(controller: Controller, settings: Settings, stopping: asyncio.Event) -> None:
    """Feed the controller from kopf's watches, for ever.

    Raises:
        WatchError: a watch cannot go on, after kopf has tried for a while.
    """
    others = asyncio.all_tasks()
    try:
        tasks = await kopf.spawn_tasks(
            registry=_handlers(controller),
            settings=_kopf_settings(),
            standalone=True,
            # Else kopf looks for the user's name, which the user of a container need not have.
            identity=cast("Any", FIELD_MANAGER),
            clusterwide=settings.namespaces is None,
            namespaces=settings.namespaces or (),
        )
        # kopf heeds signals by waiting for all tasks, for seconds: the lease is given back first.
        _heed_signals(stopping)
        await kopf.run_tasks(tasks, ignored=others)
    except Exception as error:
        raise WatchError(f"the cluster cannot be watched any more: {error!r}") from error


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


def _handlers(controller: Controller) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def log_in(**_: Any) -> kopf.ConnectionInfo:
        return login()

    @kopf.on.event(GROUP, VERSION, POOL_PLURAL, id="pools", registry=registry)
    async def observe_pool(type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002
        controller.observe_pool(type, body)
        if type is None:
            controller.compare_soon()

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
    # The kubelet sends SIGKILL after the grace period; never outlive it.
    settings.process.ultimate_exiting_timeout = 20
    return settings
