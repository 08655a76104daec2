"""Run by the tests of differences: what our comparison and AppWorld's own say of changed states.

Reads a JSON object from stdin, the changes of each case, and writes one with the answers of both.
The world is at APPWORLD_ROOT; its first task is the one whose state is changed.
"""

import json
import os
import sys
from typing import Any

from training_sandbox_appworld import differences, evaluation, library
from training_sandbox_appworld.databases import Databases
from training_sandbox_appworld.environment import AppWorldEnvironment
from training_sandbox_appworld.saved_state import decode

MODELS = ("simple_note.Note", "simple_note.User", "venmo.Transaction")


def compare(databases: Databases, task_id: str, state: str) -> list[object]:
    databases.open(task_id)
    changes = decode(state.encode())
    touched = databases.make_changes(changes)
    task = library.module("task").Task.load(task_id, load_ground_truth=False)
    start, end = evaluation.start_and_end(task, changes)
    theirs = library.module("collections.models").ModelCollectionPair(
        start.from_db_home_path, start, end.to_db_home_path, end
    )
    ours = differences.make_pair(start, end, databases, touched)
    return [describe(ours), describe(theirs), describe(ours)]


def describe(pair: Any) -> object:
    changed = {
        f"{model}, {state}": [
            # AppWorld has no order of added and removed rows.
            sorted((row.id, row.record_hash or "") for row in added),
            [(row.id, row.record_hash) for row in updated],
            sorted((row.id, row.record_hash or "") for row in removed),
        ]
        for model in MODELS
        for state in ("start", "end")
        for added, updated, removed in [pair.changed_records(model, updated_state=state)]
    }
    return [sorted(pair.changed_model_names()), changed]


def main() -> None:
    environment = AppWorldEnvironment()
    environment.preload()
    task_id = next(iter(environment.splits()["train"]))
    _, databases = environment._prepared
    answers: dict[str, object] = {}
    for name, changes in json.load(sys.stdin).items():
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(theirs, json.dumps(compare(databases, task_id, json.dumps(changes))).encode())
            os._exit(0)
        os.close(theirs)
        with os.fdopen(ours) as answer:
            answers[name] = json.loads(answer.read() or "null")
        os.waitpid(pid, 0)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
