"""AppWorld as its own documentation uses it, in one process: what the server is compared with.

Runs in the environment's venv and takes one command a line on stdin, a JSON object; answers with
one on stdout. Times are in milliseconds. See `benchmarks.native`, which starts it.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def now() -> float:
    """Milliseconds that pass: AppWorld freezes `time.perf_counter`, but not this."""
    return time.clock_gettime(time.CLOCK_MONOTONIC) * 1000


class Native:
    """One world after another."""

    def __init__(self) -> None:
        self._world: Any = None

    def open(self, task_id: str) -> dict[str, object]:
        from appworld import AppWorld  # noqa: PLC0415 (takes seconds; needs the root of main)

        begin = now()
        self._world = AppWorld(
            task_id=task_id,
            experiment_name="bench",
            load_ground_truth=False,
            max_interactions=1_000_000,
        )
        return {"ms": now() - begin}

    def execute(self, codes: list[str]) -> dict[str, object]:
        taken: list[float] = []
        outputs: list[str] = []
        for code in codes:
            begin = now()
            outputs.append(self._world.execute(code))
            taken.append(now() - begin)
        return {"ms": taken, "outputs": outputs}

    def evaluate(self) -> dict[str, object]:
        from appworld.evaluator import evaluate_task  # noqa: PLC0415 (the same)

        begin = now()
        evaluate_task(task_id=self._world.task.id, experiment_name="bench", save_report=False)
        return {"ms": now() - begin}

    def close(self) -> dict[str, object]:
        self._world.close()
        return {}


def main() -> None:
    # What AppWorld prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    native = Native()
    commands: dict[str, Callable[..., dict[str, object]]] = {
        "open": native.open,
        "execute": native.execute,
        "evaluate": native.evaluate,
        "close": native.close,
    }
    for line in sys.stdin:
        command = json.loads(line)
        answers.write(json.dumps(commands[command.pop("command")](**command)) + "\n")
    # Closing every database takes seconds, and nobody waits for it.
    os._exit(0)


if __name__ == "__main__":
    main()
