"""A node that is no machine: its pods become ready, and have servers that answer the operator.

Every pod has a loopback address of its own, where its server is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from tests.faults.support.cluster import MERGE, Cluster, RefusedError
from tests.faults.support.seen import Object
from tests.faults.support.server import Server
from tests.support.api_proxy import Fault
from training_sandbox_operator.model.names import PORT

NAME = "fake"
# The addresses 127.99.x.1 to 127.99.x.250: nobody's on this machine but another such suite's, which
# begins somewhere else.
_LAST_BYTES = 250
_FIRST_ADDRESS = (1 + os.getpid() % 200) * _LAST_BYTES
_PAST_ADDRESS = 256 * _LAST_BYTES

# aiohttp takes a connection that is reset on purpose for a fault of the handler.
_log = logging.getLogger(__name__)
_log.setLevel(logging.CRITICAL)


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Node:
    """The kubelet of the only node.

    Attributes:
        servers: those of the pods that run, by the pod's UID.
        past: those of pods that are gone.
        faults: what happens to the calls of servers, by namespace.
        unreachable: UIDs of pods that run on, whatever is asked of this kubelet.
        delays: until when servers that were started again do not become ready, by namespace.
    """

    def __init__(self, cluster: Cluster, random: Random) -> None:
        self._cluster = cluster
        self._random = random
        self._addresses = count(_FIRST_ADDRESS)
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._later: set[asyncio.Task[None]] = set()
        self._runners: dict[str, web.ServerRunner] = {}
        self.servers: dict[str, Server] = {}
        self.past: dict[str, Server] = {}
        self.unreachable: set[str] = set()
        self.delays: dict[str, asyncio.Event] = {}
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Node]:
        await self._cluster.call("POST", "api/v1/nodes", _node())
        following = asyncio.create_task(self._follow())
        try:
            yield self
        finally:
            tasks = [following, *self._at_work.values(), *self._later]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for runner in list(self._runners.values()):
                await runner.cleanup()

    def server(self, pod_uid: str) -> Server | None:
        return self.servers.get(pod_uid) or self.past.get(pod_uid)

    def restart(self, pod: Object) -> None:
        """The server of a pod ends, if it runs, and is started again."""
        server = self.servers.get(pod["metadata"]["uid"])
        if server is not None and server.is_up:
            self._do_later(self._restart_in_turn(server))

    async def finish_task(self, server: Server) -> None:
        """The task of a bound server ends; the readiness probe tells of it."""
        server.task_state = "terminated"
        server.used_at = datetime.now(UTC)
        await self._write(server.pod, {"conditions": _conditions(ready=False)})

    async def fail(self, pod: Object) -> None:
        """The server of a pod that is not started again ends."""
        status = {**_container(pod), "ready": False, "started": False, "state": _ended()}
        change = {"phase": "Failed", "containerStatuses": [status]}
        await self._write(pod, {**change, "conditions": _conditions(ready=False)})

    async def _follow(self) -> None:
        async for event in self._cluster.follow("api/v1/pods"):
            pod = event.one
            uid = pod["metadata"]["uid"]
            if event.is_gone:
                await self._forget(uid)
            elif uid in self.unreachable:
                continue
            elif "deletionTimestamp" in pod["metadata"]:
                self._begin(f"end {uid}", self._end(pod))
            elif pod["spec"].get("nodeName") and pod["status"]["phase"] == "Pending":
                self._begin(uid, self._start(pod))

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        if name in self._at_work:
            work.close()
            return
        self._at_work[name] = asyncio.create_task(work, name=name)

    async def _forget(self, uid: str) -> None:
        for name in (uid, f"end {uid}"):
            task = self._at_work.pop(name, None)
            if task is not None:
                task.cancel()
        server = self.servers.pop(uid, None)
        if server is not None:
            self.past[uid] = server
        runner = self._runners.pop(uid, None)
        if runner is not None:
            await runner.cleanup()

    async def _start(self, pod: Object) -> None:
        await asyncio.sleep(self._random.uniform(0, 0.3))
        address = self._free_address()
        server = Server(pod, address, self._play, self.faults[pod["metadata"]["namespace"]])
        runner = web.ServerRunner(web.Server(server.handle, logger=_log), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, address, PORT).start()
        uid = pod["metadata"]["uid"]
        self.servers[uid] = server
        self._runners[uid] = runner
        if server.variable("SANDBOX_TASK_ID") is not None:
            server.episode = server.variable("SANDBOX_EPISODE_ID")
        change = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "containerStatuses": [_container(pod)],
            "conditions": _conditions(ready=True),
        }
        async with server.telling:
            await self._write(pod, change)
        if server.episode is not None:
            await self._play(server)

    def _free_address(self) -> str:
        """Return the next address whose port nobody has, of whatever suite."""
        while True:
            number = next(self._addresses) % _PAST_ADDRESS
            address = f"127.99.{number // _LAST_BYTES}.{number % _LAST_BYTES + 1}"
            with contextlib.suppress(OSError), socket.create_server((address, PORT)):
                return address

    async def _restart_in_turn(self, server: Server) -> None:
        async with server.telling:
            await self._restart(server)

    async def _restart(self, server: Server) -> None:
        server.end()
        down = {**_container(server.pod), "ready": False, "started": False, "state": _ended()}
        down["restartCount"] = server.restarts
        unready = {"conditions": _conditions(ready=False)}
        await self._write(server.pod, {"containerStatuses": [down], **unready})
        await asyncio.sleep(self._random.uniform(0, 0.3))
        server.start_again(runs=self._random.choice((1, 1, 2)))
        began = {"running": {"startedAt": _moment(datetime.now(UTC))}}
        boots = {**down, "state": began, "lastState": _ended(), "restartCount": server.restarts}
        await self._write(server.pod, {"containerStatuses": [boots]})
        # A kubelet tells of readiness later than of the start, also in whole seconds.
        await asyncio.sleep(1 + self._random.uniform(0, 0.3))
        delay = self.delays.get(server.pod["metadata"]["namespace"])
        if delay is not None:
            await delay.wait()
        serves = {**boots, "ready": True, "started": True}
        ready = {"conditions": _conditions(ready=True)}
        await self._write(server.pod, {"containerStatuses": [serves], **ready})

    async def _play(self, server: Server) -> None:
        """Have the task of a server end after a while, unless it is called endless."""
        name = f"{server.episode}"
        if "endless" not in name:
            self._do_later(self._finish_later(server))

    async def _finish_later(self, server: Server) -> None:
        life = server.starts
        await asyncio.sleep(self._random.uniform(0.3, 1.5))
        if server.is_up and server.starts == life:
            await self.finish_task(server)

    def _do_later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _end(self, pod: Object) -> None:
        await asyncio.sleep(self._random.uniform(0, 0.3))
        path, uid = _path(pod), pod["metadata"]["uid"]
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, RefusedError):
                preconditions = {"uid": uid}
                await self._cluster.delete(path, gracePeriodSeconds=0, preconditions=preconditions)
                return
            await asyncio.sleep(0.2)

    async def _write(self, pod: Object, status: Object) -> None:
        """Write until the API server answers; a pod that is gone has no status."""
        body = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": status}
        while True:
            try:
                await self._cluster.call("PATCH", f"{_path(pod)}/status", body, MERGE)
            except RefusedError as error:
                if error.status in {404, 409, 422}:
                    return
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass
            else:
                return
            await asyncio.sleep(0.2)


def _path(pod: Object) -> str:
    metadata = pod["metadata"]
    return f"api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


def _spec(pod: Object) -> Object:
    return pod["spec"]["containers"][0]


def _container(pod: Object) -> Object:
    # A kubelet tells of readiness later than of the start.
    began_at = _moment(datetime.now(UTC) - timedelta(seconds=3))
    return {
        "name": _spec(pod)["name"],
        "image": _spec(pod)["image"],
        "imageID": "",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": began_at}},
    }


def _ended() -> Object:
    finished_at = _moment(datetime.now(UTC))
    return {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": finished_at}}


def _conditions(*, ready: bool) -> list[Object]:
    now = _moment(datetime.now(UTC))
    return [
        {"type": kind, "status": str(ready), "lastTransitionTime": now}
        for kind in ("ContainersReady", "Ready")
    ]


def _node() -> Object:
    room = {"cpu": "1000", "memory": "8000Gi", "pods": "5000"}
    ready = {"type": "Ready", "status": "True", "reason": "Fake", "message": "no machine"}
    moments = dict.fromkeys(("lastHeartbeatTime", "lastTransitionTime"), _moment(datetime.now(UTC)))
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NAME},
        "status": {"allocatable": room, "capacity": room, "conditions": [{**ready, **moments}]},
    }
