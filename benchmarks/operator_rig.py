"""An operator, and a control plane with fake nodes that it works in."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from benchmarks.control_plane import Api, ControlPlane, control_plane, free_port
from benchmarks.figures import BenchmarkError
from benchmarks.leader_policy import install_leader_policy

NAMESPACE = "bench"
_ROOT = f"apis/trainingsandbox.dev/v1alpha1/namespaces/{NAMESPACE}"
INSTANCES = f"{_ROOT}/traininginstances"
POOLS = f"{_ROOT}/trainingpools"
PODS = f"api/v1/namespaces/{NAMESPACE}/pods"
SECRETS = f"api/v1/namespaces/{NAMESPACE}/secrets"
EVENTS = f"api/v1/namespaces/{NAMESPACE}/events"
_OF_INSTANCE = "labelSelector=trainingsandbox.dev/instance%3D"
_CATALOGUE = "environments: {bench: {image: bench, startupSeconds: 600}}\n"
_NODES = 100
_PATIENCE_SECONDS = 300
_QUIET_CORES = 0.15
_QUIET_SECONDS = 3


class Operator:
    """The operator's process, beside the control plane."""

    def __init__(self, plane: ControlPlane, catalogue: Path, port: int, lease: str) -> None:
        self._plane = plane
        self._command = (
            "training-sandbox-operator",
            "--all-namespaces",
            f"--catalogue={catalogue}",
            f"--health-port={port}",
            f"--lease={lease}",
            "--signing-key=default/signing-key",
            "--log-level=warning",
        )
        self._health = f"http://127.0.0.1:{port}/healthz"
        self._process: psutil.Process | None = None

    @property
    def process(self) -> psutil.Process:
        if self._process is None:
            raise BenchmarkError("the operator does not run")
        return self._process

    def start(self) -> None:
        started = self._plane.run("operator", *self._command)
        self._process = psutil.Process(started.pid)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    async def until_healthy(self, http: aiohttp.ClientSession) -> None:
        """Wait until it has learned of everything there is, and watches."""

        async def answers() -> bool:
            if not self.process.is_running() or self.process.status() == psutil.STATUS_ZOMBIE:
                raise BenchmarkError("the operator ended: see operator.log")
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with http.get(self._health) as answer:
                    return bool((await answer.json()).get("leads"))
            return False

        await until("the operator is healthy and leads", answers)


async def until(what: str, probe: Any) -> None:
    deadline = time.perf_counter() + _PATIENCE_SECONDS
    while not await probe():
        if time.perf_counter() > deadline:
            raise BenchmarkError(f"not within {_PATIENCE_SECONDS} s: {what}")
        await asyncio.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Rig:
    """What is measured, and what it is measured with.

    Attributes:
        plane: the control plane.
        api: its API server.
        http: for all requests.
        operator: runs, and leads.
        catalogue: the one of the operator.
        lease: that the operator holds, of which the API server knows by the chart's policy.
    """

    plane: ControlPlane
    api: Api
    http: aiohttp.ClientSession
    operator: Operator
    catalogue: Path
    lease: str

    async def has(self, kind: str, instance: str) -> bool:
        """Whether there is a pod, or a Secret, of the instance of this name."""
        return bool((await self.api.call("GET", f"{kind}?{_OF_INSTANCE}{instance}"))["items"])

    async def until_quiet(self) -> None:
        """Wait until nothing is left to do of what came before, in any part of the plane."""

        async def is_quiet() -> bool:
            before = sum(self.plane.cpu_seconds().values())
            await asyncio.sleep(_QUIET_SECONDS)
            used = sum(self.plane.cpu_seconds().values()) - before
            return used < _QUIET_CORES * _QUIET_SECONDS

        await until("the control plane has nothing to do", is_quiet)


@asynccontextmanager
async def operator_rig() -> AsyncGenerator[Rig]:
    """Start a control plane of its own: a measurement pays for nothing that came before."""
    async with (
        control_plane() as plane,
        # Few that stay: a handshake costs the API server as much as half a request.
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=600)
        ) as http,
    ):
        api = Api(plane, http)
        await api.install_crds()
        await api.add_nodes(_NODES)
        await api.call("POST", "api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        catalogue = plane.folder / "catalogue.yaml"
        catalogue.write_text(_CATALOGUE)
        lease = await install_leader_policy(api, "default")
        operator = Operator(plane, catalogue, free_port(), lease)
        operator.start()
        await operator.until_healthy(http)
        yield Rig(plane, api, http, operator, catalogue, lease)
