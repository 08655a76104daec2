"""docs/environments.md as a new author follows it: every command, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from tests.project.test_repository import REPOSITORY
from training_sandbox_conformance.checks import CHECKS

if TYPE_CHECKING:
    from pathlib import Path

PAGE = REPOSITORY / "docs/environments.md"


def test_its_commands_make_an_environment_that_passes_and_plays(tmp_path: Path) -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    paths = [str(REPOSITORY / ".venv/bin"), str(REPOSITORY / "build/tools/bin"), os.environ["PATH"]]
    inherited = {name: value for name, value in os.environ.items() if "SANDBOX_" not in name}
    result = subprocess.run(
        ["bash", "-c", "set -euo pipefail\n" + "\n".join(blocks)],
        env={
            **inherited,
            "PATH": ":".join(paths),
            "TRAINING_SANDBOX": str(REPOSITORY),
            # The versions that all else is tested with.
            "UV_CONSTRAINT": str(REPOSITORY / "locks/development.txt"),
        },
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "treasure keeps all promises." in result.stdout
    assert "Find my number, 1 to 100, in 3 guesses." in result.stdout


def test_it_tells_every_check_of_the_kit() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \| (?!.*`sandbox_image)", PAGE.read_text(), re.MULTILINE)
    assert told == [check.name for check in CHECKS]
