"""Folders of processes that were killed are removed by the next process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.own_folder import own_folder

REPOSITORY = Path(__file__).resolve().parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from benchmarks.own_folder import own_folder
with own_folder(Path(sys.argv[1])) as folder:
    (folder / "data").write_text("x")
    print(folder, flush=True)
    time.sleep(3600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process, and its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert process.stdout is not None
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_folder_is_gone_when_it_is_left(tmp_path: Path) -> None:
    with own_folder(tmp_path) as folder:
        (folder / "data").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_a_process_that_lives_stays(
    holder: tuple[subprocess.Popen[str], Path], tmp_path: Path
) -> None:
    _, folder = holder
    with own_folder(tmp_path) as mine:
        assert mine != folder
        assert (folder / "data").exists()


def test_a_folder_of_a_process_that_was_killed_is_removed_by_the_next(
    holder: tuple[subprocess.Popen[str], Path], tmp_path: Path
) -> None:
    process, folder = holder
    process.kill()
    process.wait()
    assert folder.exists()
    with own_folder(tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine]
