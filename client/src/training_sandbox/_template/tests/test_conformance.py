"""The environment keeps its promises. `-s` shows which, and what an episode costs."""

import subprocess
import sys


def test_it_passes_the_conformance_kit() -> None:
    """Every check of the kit passes."""
    kit = [sys.executable, "-m", "training_sandbox_conformance", "my-game"]
    assert subprocess.run(kit, check=False).returncode == 0
