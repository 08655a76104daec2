"""A Kubernetes control plane without machines: plain processes on loopback, and kwok's fake nodes.

etcd, API server, controller manager (garbage collector and namespaces only) and scheduler are the
real ones, of the version that the test cluster has; `tests/cluster/control-plane` says where they
are. Pods are made ready by kwok; no container runs. All of it ends with the context.
"""

import asyncio
import contextlib
import os
import random
import secrets
import shutil
import socket
import subprocess
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil
import yaml

from benchmarks.figures import BenchmarkError
from benchmarks.own_folder import own_folder

_REPOSITORY = Path(__file__).resolve().parent.parent
_FOLDERS = _REPOSITORY / "build/control-planes"
_LOGS = Path("build/bench/control-plane")
_READY_SECONDS = 120
_CONTROLLERS = "garbage-collector-controller,namespace-controller"
# As on a machine with more memory than cores.
_COLLECTED_LESS_OFTEN = {"GOGC": "500"}
# Below the least that Linux gives to connections by itself.
_PORTS = iter(random.sample(range(20_000, 32_768), 12_768))
_LIMITS = ("--kube-api-qps=2000", "--kube-api-burst=4000", "--leader-elect=false")


class ControlPlane:
    """A control plane that answers.

    Attributes:
        folder: holds its kubeconfig, its data and the logs of its parts.
        url: of the API server.
        etcd_url: of the store behind it.
        token: of a user who may do everything.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"https://127.0.0.1:{port}"
        self.etcd_url = f"http://127.0.0.1:{free_port()}"
        self.token = secrets.token_hex(16)
        self._port = port
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, Sequence[str]] = {}

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def cpu_seconds(self) -> dict[str, float]:
        """What each part has used so far, by its name."""
        used: dict[str, float] = {}
        for name, process in self._processes.items():
            if process.poll() is None:
                times = psutil.Process(process.pid).cpu_times()
                used[name] = times.user + times.system
        return used

    async def start(self, http: aiohttp.ClientSession, binaries: Path, kwok: Path | None) -> None:
        """Start all of it; without kwok nodes and pods stay as they are created."""
        self._write_credentials()
        for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
            (self.folder / name).symlink_to(binaries / "node-components")
        self._start_etcd()
        await self.start_api_server(http)
        own = f"--kubeconfig={self.kubeconfig}"
        self.run(
            "kube-controller-manager",
            str(self.folder / "kube-controller-manager"),
            own,
            f"--controllers={_CONTROLLERS}",
            "--secure-port=0",
            *_LIMITS,
        )
        scheduler = str(self.folder / "kube-scheduler")
        self.run("kube-scheduler", scheduler, own, "--secure-port=0", *_LIMITS)
        if kwok is not None:
            self._start_kwok(kwok, own)

    def stop_api_server(self) -> None:
        """Kill the API server; everything else goes on without it."""
        process = self._processes.pop("kube-apiserver")
        process.kill()
        process.wait()

    async def start_api_server(self, http: aiohttp.ClientSession) -> None:
        """Start the API server and wait until it answers.

        Those that have lost it begin anew, as the ones of a cluster do whose lease has run out.
        """
        self._run_api_server()
        await self._until_ready(http)
        for name in ("kube-controller-manager", "kube-scheduler"):
            if name in self._processes:
                self._restart(name)

    def _start_kwok(self, kwok: Path, own: str) -> None:
        self.run(
            "kwok",
            str(kwok / "kwok"),
            own,
            f"--config={_REPOSITORY / 'benchmarks/fake_machines.yaml'}",
            "--manage-all-nodes",
            "--v=WARN",
            "--node-lease-duration-seconds=0",
        )

    def _restart(self, name: str) -> None:
        process = self._processes[name]
        process.kill()
        process.wait()
        self.run(name, *self._commands[name])

    def run(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a process that ends with the control plane, or when this one is killed."""
        log = (self.folder / f"{name}.log").open("ab")
        with log:
            process = subprocess.Popen(
                ("setpriv", "--pdeathsig=KILL", *command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**_COLLECTED_LESS_OFTEN, **os.environ, "KUBECONFIG": str(self.kubeconfig)},
            )
        self._processes[name] = process
        self._commands[name] = command
        return process

    def end(self) -> None:
        # It would wait for watches to end; what it has stored is thrown away.
        if "kube-apiserver" in self._processes:
            self.stop_api_server()
        for process in reversed(self._processes.values()):
            process.terminate()
        for process in reversed(self._processes.values()):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _write_credentials(self) -> None:
        (self.folder / "tokens.csv").write_text(f'{self.token},admin,admin,"system:masters"\n')
        subprocess.run(
            ["openssl", "genrsa", "-out", str(self.folder / "service-accounts.key"), "2048"],
            check=True,
            capture_output=True,
        )
        name = "here"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "clusters": [
                {"name": name, "cluster": {"server": self.url, "insecure-skip-tls-verify": True}}
            ],
            "users": [{"name": name, "user": {"token": self.token}}],
        }
        self.kubeconfig.write_text(yaml.safe_dump(document))

    def _start_etcd(self) -> None:
        self.run(
            "etcd",
            str(self.folder / "etcd"),
            f"--data-dir={self.folder / 'data'}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls=http://127.0.0.1:{free_port()}",
            # The disk is not what is measured.
            "--unsafe-no-fsync",
            "--log-level=error",
        )

    def _run_api_server(self) -> None:
        key = self.folder / "service-accounts.key"
        self.run(
            "kube-apiserver",
            str(self.folder / "kube-apiserver"),
            f"--etcd-servers={self.etcd_url}",
            f"--cert-dir={self.folder / 'certificates'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--max-requests-inflight=1000",
            "--max-mutating-requests-inflight=1000",
        )

    async def _until_ready(self, http: aiohttp.ClientSession) -> None:
        for _ in range(_READY_SECONDS * 10):
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise BenchmarkError(f"{name} ended:\n{self._end_of_log(name)}")
            with contextlib.suppress(aiohttp.ClientError, OSError):
                headers = {"Authorization": f"Bearer {self.token}"}
                async with http.get(f"{self.url}/readyz", headers=headers, ssl=False) as answer:
                    if answer.ok:
                        return
            await asyncio.sleep(0.1)
        raise BenchmarkError(f"no API server:\n{self._end_of_log('kube-apiserver')}")

    def _end_of_log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]


@asynccontextmanager
async def control_plane(
    *, machines: bool = True, logs: Path = _LOGS
) -> AsyncGenerator[ControlPlane]:
    """Start one in a folder of its own; only its logs are left of it.

    Args:
        machines: whether kwok plays the nodes; else somebody else does.
        logs: the folder that the logs are left in.
    """
    process = await asyncio.create_subprocess_exec(
        str(_REPOSITORY / "tests/cluster/control-plane"), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    if process.returncode:
        raise BenchmarkError("there are no programs of a control plane, as told above")
    programs = printed.decode().split()
    with own_folder(_FOLDERS) as folder:
        plane = ControlPlane(folder, free_port())
        try:
            async with aiohttp.ClientSession() as http:
                await plane.start(http, Path(programs[0]), Path(programs[1]) if machines else None)
            yield plane
        finally:
            plane.end()
            _keep_logs(folder, logs)


def _keep_logs(folder: Path, logs: Path) -> None:
    logs.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, logs)


class Api:
    """The few requests that a rig makes; costs little processor time.

    Args:
        plane: the control plane.
        http: for the requests; belongs to the caller.
    """

    def __init__(self, plane: ControlPlane, http: aiohttp.ClientSession) -> None:
        self._url = plane.url
        self._http = http
        self._headers = {"Authorization": f"Bearer {plane.token}"}

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        async with self._http.request(
            method,
            f"{self._url}/{path}",
            data=None if body is None else orjson.dumps(body),
            headers={**self._headers, "Content-Type": content_type},
            ssl=False,
        ) as answer:
            if answer.ok:
                return orjson.loads(await answer.read())
            raise BenchmarkError(f"{method} {path}: {answer.status}: {await answer.text()}")

    async def watch(self, path: str, since: str) -> AsyncGenerator[dict[str, Any]]:
        """Yield events for ever; the API server ends the watches of those it is too busy for."""
        while True:
            query = f"watch=1&resourceVersion={since}&timeoutSeconds=3600"
            async with self._http.get(
                f"{self._url}/{path}?{query}",
                headers=self._headers,
                ssl=False,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as answer:
                async for line in _lines(answer.content):
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise BenchmarkError(f"{path} cannot be watched: {event['object']}")
                    since = event["object"]["metadata"]["resourceVersion"]
                    yield event

    async def install_crds(self) -> None:
        for path in sorted((_REPOSITORY / "crds").glob("*.yaml")):
            crd = yaml.safe_load(path.read_text())
            root = "apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            await self.call("POST", root, crd)
            await self._until_established(f"{root}/{crd['metadata']['name']}")

    async def add_nodes(self, count: int) -> None:
        for number in range(count):
            await self.call("POST", "api/v1/nodes", _node(number))

    async def _until_established(self, path: str) -> None:
        for _ in range(200):
            status = (await self.call("GET", path)).get("status") or {}
            if any(
                (one["type"], one["status"]) == ("Established", "True")
                for one in status.get("conditions") or ()
            ):
                return
            await asyncio.sleep(0.1)
        raise BenchmarkError(f"{path} is not established")


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes]:
    """Yield lines of any length."""
    rest = b""
    async for part in content.iter_any():
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line


def _node(number: int) -> dict[str, Any]:
    room = {"cpu": "64", "memory": "512Gi", "pods": "500"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"fake-{number}", "labels": {"type": "kwok"}},
        "status": {"allocatable": room, "capacity": room},
    }


def free_port() -> int:
    """A port that nobody listens on now, another one each time.

    It is none of those that connections are given for their own ends: while nobody listens, as
    between two lives of an operator, one of thousands of connections would come to have it.
    """
    for port in _PORTS:
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            return port
    raise BenchmarkError("all ports below those of connections are taken, or were given away")
