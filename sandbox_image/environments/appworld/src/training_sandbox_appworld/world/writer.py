"""Writes a world to disk: whole, or not at all."""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from training_sandbox_appworld import library
from training_sandbox_appworld.data import SPLITS
from training_sandbox_appworld.world import evaluation
from training_sandbox_appworld.world.api_docs import write_api_docs
from training_sandbox_appworld.world.contents import Contents, make_contents, source
from training_sandbox_appworld.world.databases import BaseDatabases, write_task_changes
from training_sandbox_appworld.world.families import FAMILIES, Draft
from training_sandbox_appworld.world.sizes import WorldSize
from training_sandbox_appworld.world.solutions import SOLUTIONS_FILE, Solutions, save_solutions
from training_sandbox_appworld.world.tables import NOW

Progress = Callable[[str, int, int], None]
"""Called with what is being written, how much of it is done, and how much there is."""

_PARTIAL = ".partial"
_REPLACED = ".replaced"


class RootNotEmpty(ValueError):  # noqa: N818 (reads better where it is caught)
    """The root has something in it that would be overwritten."""


def write_world(
    root: Path, size: WorldSize, seed: int, *, force: bool = False, progress: Progress
) -> int:
    """Make a world in `root`.

    Everything is written below `root/.partial` and moved into place at the end, so a world that
    has its `data` directory is whole.

    Args:
        root: Made when it does not exist.
        size: How large.
        seed: The same seed and size give the same world.
        force: Replace the world that is there.
        progress: Told of the progress.

    Returns:
        The number of rows.

    Raises:
        RootNotEmpty: The root is not empty, or another process is writing to it.
        WorldUnusable: AppWorld cannot work at this path, or is not installed.
        OSError: The disk.
    """
    library.require_usable_root(root)
    library.require_installed_apps()
    partial = root / _PARTIAL
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root):
        if not force and {path.name for path in root.iterdir()} - {_PARTIAL}:
            raise RootNotEmpty(f"{root} is not empty: pass --force to replace the world in it")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            library.use_root(partial)
            rows = _write(partial, size, seed, progress)
            _move_into_place(partial, root)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return rows


@contextmanager
def _locked(root: Path) -> Generator[None]:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise RootNotEmpty(f"another process is making a world in {root}") from error
    finally:
        os.close(descriptor)


def _move_into_place(partial: Path, root: Path) -> None:
    replaced = root / _REPLACED
    shutil.rmtree(replaced, ignore_errors=True)
    if (root / "data").exists():
        (root / "data").rename(replaced)
    (partial / SOLUTIONS_FILE).replace(root / SOLUTIONS_FILE)
    (partial / "data").rename(root / "data")
    shutil.rmtree(replaced, ignore_errors=True)


def _write(root: Path, size: WorldSize, seed: int, progress: Progress) -> int:
    contents = make_contents(size, seed)
    data = root / "data"
    for name in ("api_docs/standard", "base_dbs", "datasets", "tasks"):
        (data / name).mkdir(parents=True)
    rows = _write_databases(data, contents, progress)
    _write_tasks(root, contents, size, seed, progress)
    (data / "version.txt").write_text(f"synthetic rows={size.rows} seed={seed}\n")
    return rows


def _write_databases(data: Path, contents: Contents, progress: Progress) -> int:
    databases = BaseDatabases(data / "base_dbs")
    tables = contents.tables.items()
    tables.append(("api_docs.ApiDoc", write_api_docs(data / "api_docs" / "standard")))
    total = sum(len(table.rows) for _, table in tables)
    done = 0
    for name, table in tables:
        databases.insert(name, table)
        done += len(table.rows)
        progress("rows", done, total)
    databases.close()
    return total


def _write_tasks(
    root: Path, contents: Contents, size: WorldSize, seed: int, progress: Progress
) -> None:
    solutions: dict[str, Solutions] = {}
    total = len(SPLITS) * len(FAMILIES) * size.tasks_per_scenario
    for split in SPLITS:
        task_ids: list[str] = []
        for family, make_draft in FAMILIES.items():
            scenario = sha256(f"{seed}/{family}/{split}".encode()).hexdigest()[:7]
            for number in range(1, size.tasks_per_scenario + 1):
                task_id = f"{scenario}_{number}"
                draft = make_draft(contents, source(seed, task_id))
                _write_task(root / "data", task_id, draft)
                task_ids.append(task_id)
                solutions[task_id] = Solutions(
                    family=family, split=split, right=draft.right, wrong=draft.wrong
                )
                progress("tasks", len(solutions), total)
        (root / "data" / "datasets" / f"{split}.txt").write_text("\n".join(task_ids) + "\n")
    save_solutions(root, solutions)


def _write_task(data: Path, task_id: str, draft: Draft) -> None:
    task = data / "tasks" / task_id
    ground_truth = task / "ground_truth"
    ground_truth.mkdir(parents=True)
    write_task_changes(data / "base_dbs", task / "dbs", task_id, draft)
    supervisor = draft.supervisor
    _write_json(
        task / "specs.json",
        {
            "instruction": draft.instruction,
            "supervisor": {
                "first_name": supervisor.first_name,
                "last_name": supervisor.last_name,
                "email": supervisor.email,
                "phone_number": supervisor.phone_number,
            },
            "datetime": NOW.isoformat(),
            "db_version": str(library.module("common.constants").DB_VERSION),
        },
    )
    shutil.copy(evaluation.__file__, ground_truth / "evaluation.py")
    _write_json(ground_truth / "answer.json", draft.answer)
    _write_json(ground_truth / "metadata.json", _metadata(draft))
    _write_json(ground_truth / "public_data.json", {})
    _write_json(ground_truth / "private_data.json", draft.private_data())
    _write_json(ground_truth / "test_data.json", draft.test_data())


def _metadata(draft: Draft) -> dict[str, object]:
    code = "\n".join(draft.right)
    calls: list[tuple[str, str]] = re.findall(r"apis\.(\w+)\.(\w+)\(", code)
    return {
        "mode": "minimal",
        "difficulty": 1,
        "num_apps": len({app for app, _ in calls} - {"supervisor"}),
        "num_apis": len(set(calls)),
        "num_api_calls": len(calls),
        "num_solution_code_lines": len(code.splitlines()),
    }


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")
