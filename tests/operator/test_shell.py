"""The shell: of kopf only what watches, and nothing that writes; how its parts end together."""

import asyncio
import contextlib
import gc
from pathlib import Path
from typing import Any

import kopf
import pytest

from tests.operator.conftest import Loop
from tests.operator.fake_cluster import FakeCluster
from training_sandbox_operator import shell
from training_sandbox_operator.cluster.errors import NotFoundError, UnavailableError


@pytest.fixture
def registry(loop: Loop) -> kopf.OperatorRegistry:
    return shell._handlers(loop.controller)


def test_only_events_are_handled_so_that_kopf_patches_nothing(
    registry: kopf.OperatorRegistry,
) -> None:
    assert len(registry._watching.get_all_handlers()) == 1
    for kind in (registry._changing, registry._spawning, registry._indexing, registry._webhooks):
        assert not kind.get_all_handlers()


def test_kopf_neither_posts_events_nor_scans_for_namespaces() -> None:
    settings = shell._kopf_settings()
    assert not settings.posting.enabled
    assert settings.scanning.disabled


def test_kopf_keeps_no_copies_of_objects() -> None:
    persistence = shell._kopf_settings().persistence
    body = kopf.Body({"spec": {"a": 1}})
    assert persistence.diffbase_storage.fetch(body=body) is None
    assert persistence.diffbase_storage.build(body=body) == {}
    assert persistence.progress_storage.clear(essence={"spec": {}}) == {"spec": {}}


async def test_what_the_watches_tell_reaches_the_controller(
    registry: kopf.OperatorRegistry, loop: Loop, cluster: FakeCluster
) -> None:
    handlers = {handler.id: handler.fn for handler in registry._watching.get_all_handlers()}
    raw = cluster.pool()
    await handlers["pools"](type="ADDED", body=kopf.Body(raw))
    assert loop.controller.vital_signs()["pools"] == 1
    await handlers["pools"](type="DELETED", body=kopf.Body(raw))
    assert loop.controller.vital_signs()["pools"] == 0


async def test_after_kopf_has_listed_anew_everything_is_compared(
    registry: kopf.OperatorRegistry, loop: Loop, cluster: FakeCluster
) -> None:
    handlers = {handler.id: handler.fn for handler in registry._watching.get_all_handlers()}
    compared = loop.controller._feeds._was_listed_elsewhere
    await handlers["pools"](type="MODIFIED", body=kopf.Body(cluster.pool()))
    assert not compared.is_set()
    await handlers["pools"](type=None, body=kopf.Body(cluster.pool()))
    assert compared.is_set()


@pytest.fixture
def service_account(monkeypatch: pytest.MonkeyPatch) -> None:
    def log_in(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server="https://kubernetes.default.svc", token="t")

    monkeypatch.setattr(kopf, "login_with_service_account", log_in)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")


@pytest.mark.usefixtures("service_account")
@pytest.mark.parametrize(
    ("host", "server"),
    [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")],
)
def test_in_a_cluster_the_api_server_is_found_without_dns(
    monkeypatch: pytest.MonkeyPatch, host: str, server: str
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    connection = shell.login()
    assert connection.server == server
    assert connection.token == "t"


def test_on_a_workstation_the_kubeconfig_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    path.write_text(
        "current-context: here\n"
        "contexts: [{name: here, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://workstation.example'}}]\n"
        "users: [{name: u, user: {token: t}}]\n"
    )
    monkeypatch.setattr(kopf, "login_with_service_account", lambda **_: None)
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert shell.login().server == "https://workstation.example"


@pytest.mark.parametrize("text", [None, "a: {b", "current-context: gone"])
def test_a_broken_kubeconfig_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    monkeypatch.setattr(kopf, "login_with_service_account", lambda **_: None)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(kopf.LoginError, match="kubeconfig cannot be used"):
        shell.login()


async def test_when_a_part_of_the_process_fails_all_of_it_ends() -> None:
    ended: list[str] = []

    async def failing() -> None:
        raise OSError("gone")

    async def going_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("going on")

    with pytest.raises(OSError, match="gone"):
        await shell._until_one_ends(failing(), going_on())
    assert ended == ["going on"]


@pytest.fixture
def work(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> shell._Work:
    monkeypatch.setattr(shell, "_PAUSE_SECONDS", 0.0)
    unused: Any = None
    return shell._Work(loop.controller, unused, unused, unused, unused)


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_a_server_that_has_only_just_come_back_is_asked_again(
    work: shell._Work, loop: Loop, cluster: FakeCluster, status: int
) -> None:
    cluster.instance()
    cluster.fail("GET", "/traininginstances", status, times=3)
    await work._learn()
    assert loop.controller.vital_signs()["instances"] == 1


async def test_one_that_stays_away_ends_the_operator(
    work: shell._Work, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "_PATIENCE_SECONDS", 0.05)
    cluster.fail("GET", "/traininginstances", 503, times=10_000)
    with pytest.raises(UnavailableError):
        await work._learn()


@pytest.mark.parametrize("status", [200, 404])
async def test_no_garbage_is_looked_for_in_what_is_listed_first(
    work: shell._Work,
    loop: Loop,
    cluster: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    cluster.instance()
    if status != 200:
        cluster.fail("GET", "/traininginstances", status)
    collects: list[bool] = []
    synchronise = loop.controller.synchronise

    async def observed() -> None:
        collects.append(gc.isenabled())
        await synchronise()

    monkeypatch.setattr(loop.controller, "synchronise", observed)
    with contextlib.suppress(NotFoundError):
        await work._learn()
    assert collects == [False]
    assert gc.isenabled()


async def test_definitions_that_are_missing_end_the_operator_at_once(
    work: shell._Work, cluster: FakeCluster
) -> None:
    cluster.fail("GET", "/traininginstances", 404)
    with pytest.raises(NotFoundError):
        await work._learn()
