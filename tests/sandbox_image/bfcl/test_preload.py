"""What the process is like that episodes are forked from: what it has and they need not make."""

import os
import subprocess
import sys

import pytest

PRELOADED = (
    "import sys; from training_sandbox_bfcl.environment import BfclEnvironment; "
    "BfclEnvironment().preload(); "
)


@pytest.fixture
def run_preloaded(data_folder, monkeypatch):
    monkeypatch.setenv("BFCL_DATA", str(data_folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))

    def run(statement: str) -> str:
        command = [sys.executable, "-c", PRELOADED + statement]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    return run


def test_nothing_is_imported_that_has_to_be_renewed_after_each_fork(run_preloaded):
    assert run_preloaded("print('threading' in sys.modules)") == "False"


def test_an_unused_module_that_was_left_out_can_be_imported_later(run_preloaded):
    assert run_preloaded("import subprocess; print(subprocess.run(['true']).returncode)") == "0"


def test_what_tools_import_when_they_are_called_is_imported_before(run_preloaded):
    assert run_preloaded("print('_strptime' in sys.modules)") == "True"
