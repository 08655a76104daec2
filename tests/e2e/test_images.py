"""The images carry the code of this checkout, not that of an earlier build."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.support.cluster import REPOSITORY, Namespace, kubectl
from training_sandbox import TrainingSandbox

# Of the sources of a package, by their names inside it.
_DIGEST = """
import hashlib, importlib.util, pathlib, sys
root = pathlib.Path(importlib.util.find_spec(sys.argv[1]).submodule_search_locations[0])
digest = hashlib.sha256()
for path in sorted(root.rglob("*.py")):
    digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
print(digest.hexdigest())
"""


def digest_here(package: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", _DIGEST, package.name],
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.parametrize(
    ("python", "package"),
    [
        ("/opt/server/bin/python", "sandbox_image/server/src/training_sandbox_server"),
        ("/opt/server/bin/python", "sandbox_image/worker/src/training_sandbox_worker"),
        ("/opt/environment/bin/python", "sandbox_image/worker/src/training_sandbox_worker"),
        (
            "/opt/environment/bin/python",
            "sandbox_image/environments/appworld/src/training_sandbox_appworld",
        ),
    ],
)
def test_an_instance_runs_the_code_of_this_checkout(
    python: str, package: str, sandbox: TrainingSandbox, shared: Namespace
) -> None:
    pod = shared.status(sandbox.name)["podName"]
    there = kubectl(
        *("exec", "--namespace", shared.name, pod, "--"),
        *(python, "-c", _DIGEST, Path(package).name),
    )
    assert there == digest_here(REPOSITORY / package)


def test_the_operator_runs_the_code_of_this_checkout() -> None:
    there = kubectl(
        *("exec", "--namespace", "training-sandbox-system", "deploy/training-sandbox", "--"),
        *("python", "-c", _DIGEST, "training_sandbox_operator"),
    )
    assert there == digest_here(REPOSITORY / "operator/src/training_sandbox_operator")
