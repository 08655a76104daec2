import sys
from pathlib import Path

import pytest

from training_sandbox_worker.discovery import UnknownEnvironmentError, find

HERE = Path(__file__).parent


@pytest.fixture
def on_path(tmp_path, monkeypatch):
    """An importable folder; modules that a test imports from it are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def install(folder, name, value):
    info = folder / f"{name}_environment-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}-environment\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(f"[training_sandbox.environments]\n{name} = {value}\n")


def test_an_environment_is_found_by_its_entry_point(on_path, monkeypatch):
    monkeypatch.syspath_prepend(HERE.parent)
    install(on_path, "counting", "counter_environment:CounterEnvironment")
    assert find("counting").name == "counter"


def test_an_environment_is_found_by_module_and_class(monkeypatch, on_path):
    monkeypatch.syspath_prepend(HERE.parent)
    assert find("counter_environment:CounterEnvironment").name == "counter"


def test_an_unknown_name_is_answered_with_those_that_are_installed(on_path):
    install(on_path, "counting", "counter_environment:CounterEnvironment")
    with pytest.raises(UnknownEnvironmentError, match="counting"):
        find("chess")


@pytest.mark.parametrize(
    "name", ["json:JSONDecoder", "json:dumps", "json:missing", "no_such.module:C"]
)
def test_what_is_no_environment_is_refused(name):
    with pytest.raises(UnknownEnvironmentError):
        find(name)


def test_an_environment_whose_own_imports_fail_says_so(on_path):
    (on_path / "half_installed.py").write_text("import no_such_dependency\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        find("half_installed:Environment")
