"""Run by `native.Native`.

A request is a task and the code of each step; an answer is the observations and the tests that
passed and failed, as AppWorld has them.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

from appworld import AppWorld, load_task_ids
from appworld.apps import model_lib
from appworld.evaluator import evaluate_task


def _play(task_id: str, codes: Sequence[str], outputs: str) -> dict[str, object]:
    # AppWorld takes an absolute path for where its outputs go.
    experiment = f"{outputs}/{os.getpid()}"
    world = AppWorld(task_id=task_id, experiment_name=experiment, load_ground_truth=False)
    observations = [world.execute(code) for code in codes]
    completed = world.task_completed()
    world.close()
    tracker = evaluate_task(task_id=task_id, experiment_name=experiment, save_report=False)
    return {
        "observations": observations,
        "completed": completed,
        "passed": [test["requirement"] for test in tracker.passes],
        "failed": [test["requirement"] for test in tracker.failures],
    }


def _warm_up(outputs: str) -> None:
    """Play once in this process and leave nothing open: every fork is faster for it."""
    _play(load_task_ids("train")[0], ["print(apis.supervisor.show_profile())"], outputs)
    AppWorld.close_all()
    model_lib.ModelHashHandler.reset()
    model_lib.get_cached_db_engine.cache_clear()
    model_lib.get_direct_cached_sqlite3_connection.cache_clear()
    while threading.active_count() > 1:
        time.sleep(0.01)


def _serve(connection: Connection, outputs: str) -> None:
    _warm_up(outputs)
    with contextlib.suppress(EOFError):
        while True:
            task_id, codes = connection.recv()
            pid = os.fork()
            if pid == 0:
                try:
                    connection.send(_play(task_id, codes, outputs))
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])), sys.argv[2])
