"""The command line: what is wrong is said, with what is allowed."""

from pathlib import Path

import pytest

from training_sandbox_operator.__main__ import main, parse
from training_sandbox_operator.model.names import Key


@pytest.fixture(autouse=True)
def no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CATALOGUE", "NAMESPACES", "WORKERS", "HEALTH_PORT", "LOG_LEVEL", "LEASE"):
        monkeypatch.delenv(f"TRAINING_SANDBOX_{name}", raising=False)


def test_every_namespace_is_served_when_asked_for() -> None:
    settings = parse(["-A", "--catalogue", "c.yaml"])
    assert settings.namespaces is None
    assert settings.catalogue == Path("c.yaml")
    assert (settings.workers, settings.health_port, settings.log_level) == (32, 8080, "info")


def test_namespaces_may_be_several() -> None:
    settings = parse(["-n", "a", "--namespace", "b", "-n", "a", "--catalogue", "c.yaml"])
    assert settings.namespaces == ("a", "b")


def test_the_environment_gives_what_the_command_line_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRAINING_SANDBOX_CATALOGUE", "c.yaml")
    monkeypatch.setenv("TRAINING_SANDBOX_NAMESPACES", "a, b")
    monkeypatch.setenv("TRAINING_SANDBOX_WORKERS", "4")
    settings = parse(["--workers", "8"])
    assert (settings.catalogue, settings.namespaces) == (Path("c.yaml"), ("a", "b"))
    assert settings.workers == 8


def test_an_operator_is_alone_unless_it_is_told_of_a_lease() -> None:
    assert parse(["-A", "--catalogue", "c.yaml"]).lease is None
    settings = parse(["-A", "--catalogue", "c.yaml", "--lease", "system/operator"])
    assert settings.lease == Key("system", "operator")
    assert settings.lease_seconds == 10


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--namespace NAME"),
        (["-A"], "--catalogue FILE"),
        (["-A", "-n", "a", "--catalogue", "c"], "exclude each other"),
        (["-A", "--catalogue", "c", "--workers", "0"], "from 1 to 256"),
        (["-A", "--catalogue", "c", "--health-port", "http"], "from 1 to 65535"),
        (["-A", "--catalogue", "c", "--log-level", "loud"], "'debug', 'info'"),
        (["-A", "--catalogue", "c", "--log-format", "xml"], "'text', 'json'"),
        (["-A", "--catalogue", "c", "--lease", "operator"], "NAMESPACE/NAME"),
        (["-A", "--catalogue", "c", "--lease-seconds", "0"], "from 1 to 300"),
    ],
)
def test_a_wrong_command_line_is_explained(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        parse(arguments)
    assert exited.value.code == 2
    assert told in capsys.readouterr().err


def test_a_wrong_catalogue_ends_the_operator_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text("environments: {appworld: {}}")
    assert main(["-A", "--catalogue", str(path)]) == 64
    assert "environments.appworld.image" in capsys.readouterr().err


def test_no_credentials_end_the_operator_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    path = tmp_path / "catalogue.yaml"
    path.write_text("environments: {}")
    assert main(["-A", "--catalogue", str(path)]) == 69
    assert "KUBECONFIG" in capsys.readouterr().err
