"""2,000 episodes created, played and released, 16 at once: nothing may grow, nothing may fail.

`make bench-soak` (ENV=counter, the tests' environment, or appworld in a small world). After every
50th part all episodes are released and what is left is looked at. The rules:

- failures: none. Every reward is the one that the episode earned.
- processes: whenever no episode lives, the server, the zygote and the templates are all there is.
- memory: the PSS of these in the last tenth (median) is at most 3 %, or 2 MB where that is more,
  above that in the first.
- descriptors: server and zygote have at most 2 more open in the last tenth than in the first.

Prints a table, writes build/bench/soak.json, and exits with 1 when a rule does not hold.
"""

import argparse
import asyncio
import json
import signal
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from benchmarks.figures import BenchmarkError, Figures, Goal, at_most, print_table, write
from benchmarks.served import Served, serve
from training_sandbox_conformance.outcomes import KitError
from training_sandbox_conformance.server_process import pss_mb

RESULT = Path("build/bench/soak.json")
COUNTER = Path("tests/sandbox_image").absolute()
PARTS, TENTH = 50, 5
MEMORY_SHARE, MEMORY_MB, DESCRIPTORS = 1.03, 2.0, 2

Play = Callable[[Served, int], Awaitable[None]]
"""Plays the episode of a number, and raises when an answer is not what it should be."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What there is when no episode lives."""

    processes_left_behind: int
    memory_mb: float
    descriptors: int


async def soak(served: Served, play: Play, episodes: int, at_once: int) -> Figures:
    figures = Figures()
    failures: list[str] = []
    # Before the first sample: templates are made, what is cached is cached.
    await _play_part(served, play, range(4 * at_once), at_once, failures)
    part = episodes // PARTS
    samples: list[Sample] = []
    began = time.monotonic()
    for number in track(range(PARTS), description=f"Playing {episodes} episodes"):
        await _play_part(served, play, range(number * part, (number + 1) * part), at_once, failures)
        samples.append(await _look(served))
    figures.details["samples"] = [
        [sample.processes_left_behind, round(sample.memory_mb, 2), sample.descriptors]
        for sample in samples
    ]
    figures.details["failures"] = failures[:20]
    figures.set("episodes_per_s", part * PARTS / (time.monotonic() - began))
    figures.set("failures", len(failures))
    left_behind = max(sample.processes_left_behind for sample in samples)
    figures.set("processes_left_behind", left_behind)
    for key in ("memory_mb", "descriptors"):
        values = [getattr(sample, key) for sample in samples]
        figures.set(f"{key}_first_tenth", statistics.median(values[:TENTH]))
        figures.set(f"{key}_last_tenth", statistics.median(values[-TENTH:]))
    return figures


def rules(figures: Figures) -> dict[str, Goal | None]:
    values = figures.values
    memory = max(
        values["memory_mb_first_tenth"] * MEMORY_SHARE, values["memory_mb_first_tenth"] + MEMORY_MB
    )
    return {
        "failures": at_most(0),
        "processes_left_behind": at_most(0),
        "memory_mb_first_tenth": None,
        "memory_mb_last_tenth": at_most(round(memory, 3)),
        "descriptors_first_tenth": None,
        "descriptors_last_tenth": at_most(values["descriptors_first_tenth"] + DESCRIPTORS),
        "episodes_per_s": None,
    }


async def _play_part(
    served: Served, play: Play, numbers: Sequence[int], at_once: int, failures: list[str]
) -> None:
    waiting = iter(numbers)

    async def some() -> None:
        for number in waiting:
            try:
                await play(served, number)
            except Exception as error:  # noqa: BLE001 (counted, and told in the end)
                failures.append(f"episode {number}: {error!r}"[:1000])

    await asyncio.gather(*(some() for _ in range(at_once)))


async def _look(served: Served) -> Sample:
    status = await served.status()
    server, *below = processes = served.processes()
    expected = 1 + status["templates"]["count"]
    zygote = next(one for one in below if one.ppid() == server.pid)
    return Sample(
        processes_left_behind=status["slots"]["used"] + len(below) - expected,
        memory_mb=pss_mb(processes),
        descriptors=server.num_fds() + zygote.num_fds(),
    )


async def count(served: Served, number: int) -> None:
    """An episode of the counter; every fourth forks, and both go on."""
    target = (10, 3)[number % 2]
    episode = await served.create(f"count-to-{target}")
    _require(await _add(served, episode, 1, 0) == 1, "the first step")
    if number % 4 == 0:
        (branch,) = await served.fork(episode)
        _require(await _add(served, branch, 2, 1) == 3, "the branch's step")
        _require(await served.evaluate(branch) == min(3 / target, 1.0), "the branch's reward")
        await served.release(branch)
    _require(await _add(served, episode, 0, 1) == 1, "the second step")
    _require(await served.evaluate(episode) == 1 / target, "the reward so far")
    done = await served.act(episode, "done", step_index=2)
    _require((done["is_terminated"], done["reward"]) == (True, 1 / target), "the final reward")
    await served.release(episode)


async def _add(served: Served, episode: str, number: int, index: int) -> int:
    answer = await served.act(episode, f"add {number}", step_index=index)
    return int(answer["state"][0]["content"])


def solve(world: Path) -> Play:
    """An episode of AppWorld: the right or the wrong solution of a task.

    Raises:
        BenchmarkError: There is no such world.
    """
    try:
        solutions = json.loads((world / "solutions.json").read_text())
    except FileNotFoundError as error:
        raise BenchmarkError(
            f"there is no synthetic world at {world}; `make bench-soak ENV=appworld` generates it"
        ) from error
    # Few, so that their templates are all made before the first sample.
    tasks = sorted(solutions)[::12]

    async def play(served: Served, number: int) -> None:
        task = tasks[number % len(tasks)]
        is_right = number // len(tasks) % 2 == 0
        episode = await served.create(task)
        answer: dict[str, object] = {}
        for index, code in enumerate(solutions[task]["right" if is_right else "wrong"]):
            answer = await served.act(episode, f"```python\n{code}\n```", step_index=index)
        _require(answer["is_terminated"] is True, "the last step")
        _require((answer["reward"] == 1.0) is is_right, f"the reward {answer['reward']}")
        await served.release(episode)

    return play


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise BenchmarkError(f"{what} is not what it should be")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--environment", choices=["counter", "appworld"], default="counter")
    parser.add_argument("--episodes", type=int, default=2000, help="default: 2000")
    parser.add_argument("--at-once", type=int, default=16, help="default: 16")
    parser.add_argument("--world", type=Path, default=Path("build/world/4000"))
    parser.add_argument("--python", type=Path, default=Path("build/venvs/appworld/bin/python"))
    return parser.parse_args()


async def run(arguments: argparse.Namespace) -> Figures:
    if arguments.environment == "counter":
        play: Play = count
        environment, python = "counter_environment:CounterEnvironment", Path(sys.executable)
    else:
        play = solve(arguments.world)
        environment, python = "appworld", arguments.python
    settings = {
        "SANDBOX_ENVIRONMENT": environment,
        "SANDBOX_ENVIRONMENT_PYTHON": str(python.absolute()),
        "SANDBOX_SLOTS": str(2 * arguments.at_once),
        "APPWORLD_ROOT": str(arguments.world.absolute()),
        "PYTHONPATH": str(COUNTER),
    }
    async with serve(settings, RESULT.with_name("soak-server.log")) as served:
        return await soak(served, play, arguments.episodes, arguments.at_once)


def main() -> None:
    arguments = parse_arguments()
    # Whoever is terminated ends what it started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if arguments.environment == "appworld" and not arguments.python.exists():
        sys.exit(f"bench-soak: {arguments.python} is missing; run `make venv-appworld`")
    if arguments.episodes < PARTS:
        sys.exit(f"bench-soak: --episodes must be at least {PARTS}")
    try:
        figures = asyncio.run(run(arguments))
    except (BenchmarkError, KitError) as error:
        sys.exit(f"bench-soak: {error}")
    of_rules = rules(figures)
    about = {
        "environment": arguments.environment,
        "episodes": arguments.episodes,
        "at_once": arguments.at_once,
    }
    document = figures.document(of_rules, **about)
    write(RESULT.with_stem(f"soak-{arguments.environment}"), document)
    write(RESULT, document)
    print_table((key, figures.values[key], goal) for key, goal in of_rules.items())
    for failure in figures.details["failures"]:
        print(failure)
    if not all(
        goal is None or goal.is_reached(figures.values[key]) for key, goal in of_rules.items()
    ):
        sys.exit(1)


if __name__ == "__main__":
    main()
