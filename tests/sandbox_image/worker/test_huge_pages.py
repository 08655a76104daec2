"""Each test runs a small program, as it acts on the memory of the process that calls it."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage")

IMPORTS = """
import os, re
from pathlib import Path
from training_sandbox_worker.huge_pages import use_huge_pages

def huge_mb():
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return int(re.search(r"AnonHugePages: +([0-9]+) kB", rollup).group(1)) // 1024
"""


def run(program: str) -> list[str]:
    command = [sys.executable, "-c", IMPORTS + textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(not HUGE_PAGES.exists(), reason="this kernel has no transparent huge pages")
def test_memory_of_small_objects_moves_into_huge_pages():
    before, after = map(
        int,
        run("""
            kept = [bytes([number % 256]) * 100 for number in range(400_000)]
            before = huge_mb()
            use_huge_pages()
            print(before, huge_mb())
            assert all(kept[number][99] == number % 256 for number in range(400_000))
        """),
    )
    assert after >= before + 4


def test_a_fork_and_its_parent_keep_their_own_memory():
    words = run("""
        shared = [[number] for number in range(200_000)]
        use_huge_pages()
        if (pid := os.fork()) == 0:
            for one in shared:
                one[0] = -1
            os._exit(0 if all(one == [-1] for one in shared) else 1)
        _, status = os.waitpid(pid, 0)
        print(status, all(one == [number] for number, one in enumerate(shared)))
    """)
    assert words == ["0", "True"]
