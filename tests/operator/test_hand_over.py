"""Whole operators, as processes: one leads, and another goes on where it ends or stands still."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer, unused_port

from tests.operator.watched_cluster import WatchedCluster

PATIENCE_SECONDS = 60
# The fake cluster makes everything on the first day of 2026.
LASTING = {"ttlSeconds": 10**9}


class Operator:
    """A process. Its name is its token."""

    def __init__(self, name: str, folder: Path, address: str) -> None:
        self.name = name
        self.port = unused_port()
        self._process: asyncio.subprocess.Process | None = None
        self._folder = folder
        kubeconfig = {
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": address}}],
            "users": [{"name": "fake", "user": {"token": name}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        }
        (folder / name).write_text(json.dumps(kubeconfig))

    async def start(self) -> None:
        catalogue = self._folder / "catalogue.yaml"
        catalogue.write_text("environments: {appworld: {image: x}}")
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "training_sandbox_operator"),
                *("--namespace", "research", "--catalogue", str(catalogue)),
                *("--health-port", str(self.port), "--log-format", "json"),
                *("--lease", "system/operator", "--lease-seconds", "2"),
                env={"KUBECONFIG": str(self._folder / self.name)},
                stderr=log,
            )
        await until(f"{self.name} answers", self._is_up)

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ask(self, path: str) -> str:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as answer,
        ):
            return await answer.text()

    async def _is_up(self) -> bool:
        try:
            return "leads" in await self.ask("/readyz")
        except aiohttp.ClientError:
            return False

    def log(self) -> list[dict[str, str]]:
        text = (self._folder / f"{self.name}.log").read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


async def until(what: str, probe: Callable[[], object]) -> None:
    for _ in range(50 * PATIENCE_SECONDS):
        if await _result(probe()):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE_SECONDS} s: {what}")


async def _result(probed: object) -> object:
    return await probed if asyncio.iscoroutine(probed) else probed


@pytest.fixture
async def cluster() -> WatchedCluster:
    return WatchedCluster()


@pytest.fixture
async def operators(
    cluster: WatchedCluster, tmp_path: Path
) -> AsyncIterator[tuple[Operator, Operator]]:
    """The first leads and has made a pod; the second waits."""
    server = TestServer(cluster.app())
    await server.start_server(shutdown_timeout=0.1)
    address = str(server.make_url(""))
    first, second = (Operator(name, tmp_path, address) for name in ("first", "second"))
    cluster.instance("early", **LASTING)
    try:
        await first.start()
        await until("the first operator leads", lambda: cluster.of_kind("pods"))
        await second.start()
        yield first, second
    finally:
        for operator in (first, second):
            await operator.kill()
        await server.close()


async def test_who_does_not_lead_writes_nothing_and_tells_so(
    operators: tuple[Operator, Operator], cluster: WatchedCluster
) -> None:
    first, second = operators
    cluster.instance("later", **LASTING)
    await until("the first works", lambda: len(cluster.of_kind("pods")) == 2)
    assert cluster.writes_of(second.name) == []
    assert "training_sandbox_operator_leads 1.0" in await first.ask("/metrics")
    assert "training_sandbox_operator_leads 0.0" in await second.ask("/metrics")
    pod = (
        'training_sandbox_operator_api_calls_total{resource="pods",status="201",verb="create"} 2.0'
    )
    assert pod in await first.ask("/metrics")
    created = next(line for line in first.log() if "created pod" in line["message"])
    assert (created["kind"], created["namespace"]) == ("TrainingInstance", "research")
    assert created["name"] == "early"


async def test_a_leader_that_was_killed_is_succeeded_and_nothing_is_doubled(
    operators: tuple[Operator, Operator], cluster: WatchedCluster
) -> None:
    first, second = operators
    first.process.kill()
    cluster.instance("later", **LASTING)
    await until("the second works", lambda: len(cluster.of_kind("pods")) == 2)
    await until(
        "it writes", lambda: "status" in cluster.objects["traininginstances", "research", "later"]
    )
    assert len(cluster.holders) == 2
    assert len(cluster.writes_of(second.name, "/pods")) == 1


async def test_a_leader_that_is_ended_gives_the_lease_back(
    operators: tuple[Operator, Operator], cluster: WatchedCluster
) -> None:
    first, second = operators
    first.process.terminate()
    assert await first.process.wait() == 0
    cluster.instance("later", **LASTING)
    await until("the second works", lambda: len(cluster.of_kind("pods")) == 2)
    assert cluster.holders[1] == ""
    assert len(cluster.holders) == 3
    assert cluster.writes_of(second.name, "/pods")


async def test_a_leader_that_stood_still_writes_nothing_when_it_goes_on(
    operators: tuple[Operator, Operator], cluster: WatchedCluster
) -> None:
    first, second = operators
    first.process.send_signal(signal.SIGSTOP)
    for number in range(5):
        cluster.instance(f"later-{number}", **LASTING)
    await until("the second works", lambda: len(cluster.of_kind("pods")) == 6)
    before = cluster.writes_of(first.name)
    first.process.send_signal(signal.SIGCONT)
    assert await first.process.wait() == 75
    assert cluster.writes_of(first.name) == before
    assert len(cluster.of_kind("pods")) == 6
    assert cluster.writes_of(second.name, "/pods")
