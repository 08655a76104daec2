"""AppWorld itself, for comparison: it plays and evaluates each solution in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from pathlib import Path

_PROGRAM = Path(__file__).with_name("native_program.py")


@dataclass(frozen=True)
class Played:
    """What AppWorld made of a solution."""

    observations: list[str]
    completed: bool
    passed: list[str]
    failed: list[str]

    @property
    def reward(self) -> float:
        return len(self.passed) / (len(self.passed) + len(self.failed))


class Native:
    """The tests' end."""

    def __init__(self, root: Path, outputs: Path) -> None:
        ours, theirs = Pipe()
        self._process = subprocess.Popen(
            [sys.executable, str(_PROGRAM), str(theirs.fileno()), str(outputs)],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "APPWORLD_ROOT": str(root)},
        )
        theirs.close()
        self._connection = ours

    def play(self, task_id: str, codes: Sequence[str]) -> Played:
        self._connection.send((task_id, list(codes)))
        return Played(**self._connection.recv())

    def close(self) -> None:
        self._connection.close()
        self._process.wait()
