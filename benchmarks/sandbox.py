"""What an episode of AppWorld costs: creates, steps, evaluations, forks, memory.

Over HTTP against a real server with its jail on, and natively in the same run for what is compared
with that. `make bench-sandbox` (QUICK=1: a small world and few repetitions; KEYS="…": only these).
Prints a table and writes build/bench/sandbox.json. Nothing else should run on the machine.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from benchmarks import appworld_measures as measures
from benchmarks.appworld_measures import Bench
from benchmarks.figures import (
    BenchmarkError,
    Figures,
    Goal,
    at_least,
    at_most,
    print_table,
    write,
)
from training_sandbox_conformance.outcomes import KitError

RESULT = Path("build/bench/sandbox.json")
PYTHON = Path("build/venvs/appworld/bin/python")
ROWS, QUICK_ROWS = 300_000, 4_000
BUSY = 0.5

GOALS: dict[str, Goal | None] = {
    "create_group_ms_p50": at_most(30),
    "creates_per_s": at_least(40),
    "create_new_task_ms_p50": at_most(50),
    "new_tasks_per_s": at_least(25),
    "pss_mb_one_task_64": at_most(50),
    "pss_mb_64_tasks": at_most(60),
    "step_overhead_ms_p50": at_most(1.5),
    "steps_ratio_native": at_least(1.3),
    "step_growth_650": at_most(1.2),
    "evaluate_ms_p50": at_most(100),
    "fork_running_ms_p50": at_most(35),
    "server_idle_mb": None,
    "zygote_ready_s": None,
}

MEASURES: dict[Callable[[Bench], Awaitable[None]], tuple[str, ...]] = {
    measures.measure_group_creates: ("create_group_ms_p50", "creates_per_s"),
    measures.measure_new_tasks: ("create_new_task_ms_p50", "new_tasks_per_s"),
    measures.measure_step_overhead: ("step_overhead_ms_p50",),
    measures.measure_steps_ratio: ("steps_ratio_native",),
    measures.measure_step_growth: ("step_growth_650",),
    measures.measure_evaluations: ("evaluate_ms_p50",),
    measures.measure_forks: ("fork_running_ms_p50",),
    measures.measure_memory_of_one_task: ("pss_mb_one_task_64",),
    measures.measure_memory_of_many_tasks: ("pss_mb_64_tasks",),
    measures.measure_idle: ("server_idle_mb", "zygote_ready_s"),
}


async def measure(bench: Bench, keys: Sequence[str]) -> None:
    for take, of_keys in MEASURES.items():
        if set(of_keys) & set(keys):
            await take(bench)


def tasks_of(world: Path) -> list[str]:
    """The ids of a world's tasks, those of one kind apart from each other.

    Raises:
        BenchmarkError: There is no such world, or it has too few tasks.
    """
    try:
        solutions = json.loads((world / "solutions.json").read_text())
    except FileNotFoundError as error:
        raise BenchmarkError(
            f"there is no synthetic world at {world}; `make bench-sandbox` generates it"
        ) from error
    tasks = sorted(solutions, key=lambda task: task.rpartition("_")[::-1])
    if len(tasks) < measures.SLOTS:
        raise BenchmarkError(f"{world} has {len(tasks)} tasks; {measures.SLOTS} are needed")
    return tasks


def rows_of(world: Path) -> int:
    """How many rows its databases have together, without those of search indexes."""
    rows = 0
    for path in sorted((world / "data" / "base_dbs").glob("*.db")):
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            tables = database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%_fts%'"
            )
            for (table,) in tables.fetchall():
                rows += database.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
    return rows


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sandbox", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="a small world, few repetitions")
    parser.add_argument(
        "--only", nargs="+", choices=list(GOALS), metavar="KEY", help=", ".join(GOALS)
    )
    parser.add_argument("--world", type=Path, help=f"root (default: build/world/{ROWS})")
    parser.add_argument("--python", type=Path, default=PYTHON, help=f"default: {PYTHON}")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    # Whoever is terminated ends what it started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    default_world = Path("build/world") / str(QUICK_ROWS if arguments.quick else ROWS)
    world: Path = arguments.world or default_world
    keys: list[str] = arguments.only or list(GOALS)
    figures = Figures()
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"The machine is busy (load {load:.1f}): times will be longer than they are.")
    if not arguments.python.exists():
        sys.exit(f"bench-sandbox: {arguments.python} is missing; run `make venv-appworld`")
    try:
        bench = Bench(
            world=world.absolute(),
            python=arguments.python.absolute(),
            tasks=tasks_of(world),
            repetitions=8 if arguments.quick else 60,
            rounds=1 if arguments.quick else 5,
            figures=figures,
        )
        asyncio.run(measure(bench, keys))
    except (BenchmarkError, KitError) as error:
        sys.exit(f"bench-sandbox: {error}")
    shown = {key: GOALS[key] for key in keys}
    about = {
        "world": str(world),
        "world_rows": rows_of(world),
        "quick": arguments.quick,
        "load_before": load,
    }
    write(RESULT, figures.document(shown, **about))
    print_table((key, figures.values[key], goal) for key, goal in shown.items())
    print(f"Written to {RESULT}.")


if __name__ == "__main__":
    main()
