from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import aiohttp
import pytest
import pytest_asyncio

from benchmarks.control_plane import Api, control_plane
from tests.faults.support.cluster import Cluster
from tests.faults.support.node import Node
from tests.faults.support.operators import Zygote
from tests.faults.support.report import RESULT, Report
from tests.faults.support.trial import OPERATORS, Form, Rig

pytest.register_assert_rewrite("tests.faults.cases")

_LOGS = Path("build/faults")
_REPORT = pytest.StashKey[Report]()


def pytest_configure(config: pytest.Config) -> None:
    seed = int(os.environ.get("FAULT_SEED", time.time_ns() % 10**6))
    config.stash[_REPORT] = Report(seed)


def pytest_report_header(config: pytest.Config) -> str:
    return f"faults: FAULT_SEED={config.stash[_REPORT].seed}"


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    report = config.stash[_REPORT]
    if not report.rows:
        return
    report.write()
    terminalreporter.section(f"faults, FAULT_SEED={report.seed}, {RESULT}")
    for line in report.lines():
        terminalreporter.write_line(line)


def _form() -> Form:
    is_long = bool(os.environ.get("FAULT_LONG"))
    return Form(is_long, kills=int(os.environ.get("FAULT_KILLS", "200" if is_long else "20")))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rig(pytestconfig: pytest.Config) -> AsyncIterator[Rig]:
    report = pytestconfig.stash[_REPORT]
    _clear_logs()
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        control_plane(machines=False, logs=_LOGS) as plane,
        aiohttp.ClientSession(connector=connector) as http,
        Zygote.running() as zygote,
    ):
        await Api(plane, http).install_crds()
        cluster = Cluster(plane, http)
        await cluster.call("POST", "api/v1/namespaces", {"metadata": {"name": OPERATORS}})
        async with Node(cluster, Random(report.seed)).running() as node:
            yield Rig(cluster, node, zygote, report, _LOGS, _form())


def _clear_logs() -> None:
    _LOGS.mkdir(parents=True, exist_ok=True)
    for log in _LOGS.glob("*.log"):
        log.unlink()
