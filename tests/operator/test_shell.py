"""The shell: how it logs in, and how its parts end together."""

import asyncio
from pathlib import Path
from typing import Any

import kopf
import pytest

from training_sandbox_operator import shell


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
