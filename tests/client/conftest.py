from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.client.support.cutting_proxy import CuttingProxy
from tests.client.support.stub_cluster import StubCluster
from tests.client.support.stub_server import StubServer
from training_sandbox import AsyncTrainingSandbox, TrainingSandbox
from training_sandbox._cli import main

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path


@pytest.fixture
def server() -> StubServer:
    """The server behind ``endpoint``."""
    return StubServer()


@pytest.fixture
def endpoint(server: StubServer) -> Iterator[str]:
    with server.serving() as url:
        yield url


@pytest.fixture
def proxy(endpoint: str) -> CuttingProxy:
    """A proxy before the server, behind ``proxied``."""
    return CuttingProxy(endpoint)


@pytest.fixture
def proxied(proxy: CuttingProxy) -> Iterator[str]:
    with proxy.serving() as url:
        yield url


@pytest.fixture
def cluster(
    tmp_path: Path, server: StubServer, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StubCluster]:
    """The current cluster, whose operator makes each instance ready with ``server`` in its pod."""
    stub = StubCluster()
    address = urlsplit(endpoint)
    stub.pod_address = (str(address.hostname), int(address.port or 0))
    stub.reconcile = stub.ready
    with stub.serving() as url:
        monkeypatch.setenv("KUBECONFIG", stub.kubeconfig(url, tmp_path))
        yield stub


@pytest.fixture
async def box(endpoint: str) -> AsyncIterator[AsyncTrainingSandbox]:
    async with AsyncTrainingSandbox(endpoint=endpoint, request_timeout=5) as sandbox:
        yield sandbox


@pytest.fixture
async def fragile_box(proxied: str) -> AsyncIterator[AsyncTrainingSandbox]:
    """A sandbox whose connections the proxy can cut."""
    async with AsyncTrainingSandbox(endpoint=proxied, request_timeout=6) as sandbox:
        yield sandbox


@pytest.fixture
def sync_box(endpoint: str) -> Iterator[TrainingSandbox]:
    with TrainingSandbox(endpoint=endpoint, request_timeout=5) as sandbox:
        yield sandbox


class Outcome(NamedTuple):
    stdout: str
    stderr: str
    returncode: int


@pytest.fixture
def tsb(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Runs the command in this process, as its entry point does."""

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr("sys.argv", ["tsb", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Outcome(*capfd.readouterr(), ended.value.code or 0)

    return run
