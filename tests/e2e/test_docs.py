"""The commands of the documentation, run as they stand.

Blocks marked `bash` and `python` are run; what cannot be (an image pushed to your registry) is
marked `console`. Those of environments.md need no cluster and are run in `tests/project`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.support.cluster import REPOSITORY

PAGES = sorted(
    {REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")}
    - {REPOSITORY / "docs/environments.md"}
)


def blocks(page: Path, language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    return "\n".join(found)


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p, "bash")], ids=lambda page: page.name
)
def test_the_shell_commands_of_a_page_work(page: Path) -> None:
    script = "set -euo pipefail\n" + blocks(page, "bash")
    result = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks(p, "python")], ids=lambda page: page.name
)
def test_the_python_of_a_page_works(page: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", blocks(page, "python")],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
