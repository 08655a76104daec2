"""The test runs a program of its own, as it fills the heap of the process for good."""

import subprocess
import sys
import textwrap

import pytest


@pytest.mark.parametrize("size", [64, 300, 2000, 6000])
def test_new_objects_do_not_land_between_old_ones(size: int) -> None:
    program = textwrap.dedent(f"""
        from training_sandbox_appworld import heap
        old = [bytes({size} - 33) for _ in range(4000)]
        addresses = {{id(one) for one in old}}
        del old[::2]
        heap.fill_holes()
        new = [bytes({size} - 33) for _ in range(500)]
        print(sum(id(one) in addresses for one in new))
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr
