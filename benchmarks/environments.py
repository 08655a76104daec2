"""What an episode of each environment costs, played as its examples say.

Over HTTP against a real server with its jail on; every reward must be 1. `make bench-environments`
(ENV=…: one environment, QUICK=1: few episodes). Prints a table an environment and writes
build/bench/environments.json. Nothing else should run on the machine.
"""

import argparse
import asyncio
import itertools
import os
import signal
import sys
import time
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.figures import (
    BenchmarkError,
    Figures,
    Goal,
    at_least,
    at_most,
    machine,
    print_table,
    write,
)
from benchmarks.served import Served, serve
from training_sandbox_conformance.installed import Example, Installation, sample
from training_sandbox_conformance.outcomes import KitError
from training_sandbox_conformance.server_process import pss_mb

RESULT = Path("build/bench/environments.json")
VENVS = Path("build/venvs")
AT_ONCE, LIVE = 16, 256
TASKS, QUICK_TASKS = 64, 8
ROUNDS, QUICK_ROUNDS = 4, 1

KEYS = ("create_ms_p50", "step_ms_p50", "episodes_per_s", "pss_mb_per_episode")
GOALS: dict[str, dict[str, Goal | None]] = {
    "bfcl": dict(zip(KEYS, (at_most(20), at_most(2.5), at_least(60), at_most(5)), strict=True)),
    "webshop": dict(zip(KEYS, (at_most(25), at_most(10), at_least(30), at_most(10)), strict=True)),
}


async def measure(installation: Installation, *, quick: bool) -> Figures:
    figures = Figures()
    all_examples = examples_to_train_on(installation)
    examples = sample(all_examples, QUICK_TASKS if quick else TASKS)
    settings = {
        "SANDBOX_ENVIRONMENT": installation.name,
        "SANDBOX_ENVIRONMENT_PYTHON": str(installation.python),
        "SANDBOX_SLOTS": str(LIVE),
        "SANDBOX_EPISODE_IDLE_SECONDS": "3600",
    }
    log = RESULT.with_name(f"{installation.name}-server.log")
    async with serve(settings, log) as served:
        figures.details["confinement"] = (await served.status())["confinement"]
        figures.details["ready_s"] = round(served.ready_s, 3)
        await measure_one_by_one(served, examples, figures)
        await measure_rate(served, examples * (QUICK_ROUNDS if quick else ROUNDS), figures)
    # No task was opened on this one: templates are not counted among the episodes.
    async with serve(settings, log) as served:
        await measure_memory(served, sample(all_examples, LIVE), figures)
    return figures


def examples_to_train_on(installation: Installation) -> list[Example]:
    """Those of the split that a client gets when it asks for none: figures stay comparable."""
    train = set(installation.describe().splits["train"])
    return [example for example in installation.examples() if example.task_id in train]


async def measure_one_by_one(served: Served, examples: Sequence[Example], figures: Figures) -> None:
    """Episodes of tasks that nobody opened before, one after the other."""
    creates: list[float] = []
    steps: list[float] = []
    for example in examples:
        begin = time.perf_counter()
        episode = await served.create(example.task_id)
        creates.append((time.perf_counter() - begin) * 1000)
        steps += await play(served, episode, example)
        await served.release(episode)
    figures.set("create_ms_p50", figures.observe("create_ms", creates))
    figures.set("step_ms_p50", figures.observe("step_ms", steps))


async def measure_rate(served: Served, examples: Sequence[Example], figures: Figures) -> None:
    """Whole episodes, 16 at once, tasks that come back as they do in training."""

    async def run(example: Example) -> None:
        episode = await served.create(example.task_id)
        await play(served, episode, example)
        await served.release(episode)

    begin = time.perf_counter()
    await at_once(run(example) for example in examples)
    figures.set("episodes_per_s", len(examples) / (time.perf_counter() - begin))


async def measure_memory(served: Served, examples: Sequence[Example], figures: Figures) -> None:
    """Live episodes of as many tasks as there are, all but their last step played."""

    async def run(example: Example) -> None:
        episode = await served.create(example.task_id)
        for message in example.right[:-1]:
            await served.send(episode, message)

    idle = pss_mb(served.processes())
    await at_once(run(example) for example in itertools.islice(itertools.cycle(examples), LIVE))
    live = pss_mb(served.processes())
    figures.details["pss_mb"] = {"idle": round(idle, 1), f"{LIVE} live": round(live, 1)}
    figures.set("pss_mb_per_episode", (live - idle) / LIVE)


async def play(served: Served, episode: str, example: Example) -> list[float]:
    """Milliseconds of each step.

    Raises:
        BenchmarkError: The reward is not 1.
    """
    taken: list[float] = []
    answer: dict[str, object] = {}
    for message in example.right:
        begin = time.perf_counter()
        answer = await served.send(episode, message)
        taken.append((time.perf_counter() - begin) * 1000)
    if answer.get("reward") != 1.0:
        raise BenchmarkError(f"the right messages of {example.task_id} have the answer {answer}")
    return taken


async def at_once(runs: Iterable[Awaitable[None]]) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(run: Awaitable[None]) -> None:
        async with room:
            await run

    await asyncio.gather(*(one(run) for run in runs))


def installed(name: str) -> Installation:
    """The environment in the venv that `make venv-NAME` makes.

    Raises:
        BenchmarkError: There is none.
    """
    python = (VENVS / name / "bin/python").absolute()
    if not python.exists():
        raise BenchmarkError(f"{python} is missing; run `make venv-{name}`")
    return Installation(name, python, None, dict(os.environ))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.environments", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"such as {', '.join(GOALS)}")
    parser.add_argument("--quick", action="store_true", help="few episodes")
    arguments = parser.parse_args()
    # Whoever is terminated ends what it started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    document: dict[str, object] = {}
    load = os.getloadavg()[0]
    for name in arguments.names:
        try:
            figures = asyncio.run(measure(installed(name), quick=arguments.quick))
        except (BenchmarkError, KitError) as error:
            sys.exit(f"bench-environments: {name}: {error}")
        goals = GOALS.get(name, dict.fromkeys(KEYS))
        Console().print(f"[bold]{name}")
        print_table((key, figures.values[key], goals[key]) for key in KEYS)
        document[name] = figures.document(goals)
    write(RESULT, {**document, "machine": machine(), "quick": arguments.quick, "load_before": load})
    print(f"Written to {RESULT}.")


if __name__ == "__main__":
    main()
