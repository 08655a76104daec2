"""How each figure of `benchmarks.sandbox` is measured. Times are in milliseconds, memory in MB."""

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import track

from benchmarks.figures import Figures
from benchmarks.mix import MIX
from benchmarks.native import Native, native, require_success
from benchmarks.served import Served, serve
from training_sandbox_conformance.server_process import pss_mb

SLOTS = 64
PLAYED_AT_ONCE = 16
GROUP = 16
API_CALLS = 650
LOG = Path("build/bench/sandbox-server.log")
_CALLS_A_STEP = 50
_WARM_UP = 20
_SMALL_STEPS = {"x=1": "x = 1", "api": "print(apis.supervisor.show_profile())"}


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured, how thoroughly, and what was found so far.

    Attributes:
        world: The absolute path of the world's root.
        python: The interpreter of AppWorld's venv.
        tasks: The ids of the world's tasks.
        repetitions: How often a call is timed where it is timed alone.
        rounds: How often server and native AppWorld take turns.
        figures: Takes the results.
        starts: Of each server that was started: seconds until it was ready, and its memory then.
    """

    world: Path
    python: Path
    tasks: Sequence[str]
    repetitions: int
    rounds: int
    figures: Figures
    starts: list[tuple[float, float]] = field(default_factory=list)

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[Served]:
        """A server on which no task was opened yet."""
        settings = {
            "SANDBOX_ENVIRONMENT": "appworld",
            "SANDBOX_ENVIRONMENT_PYTHON": str(self.python),
            "SANDBOX_SLOTS": str(SLOTS),
            "SANDBOX_EPISODE_IDLE_SECONDS": "3600",
            "APPWORLD_ROOT": str(self.world),
        }
        async with serve(settings, LOG) as served:
            self.figures.details["confinement"] = (await served.status())["confinement"]
            self.starts.append((served.ready_s, pss_mb(served.processes())))
            yield served


async def measure_idle(bench: Bench) -> None:
    """What every server took that was started; there is one more, so that there is one."""
    async with bench.serve():
        pass
    ready, idle = zip(*bench.starts, strict=True)
    bench.figures.set("zygote_ready_s", bench.figures.observe("zygote_ready_s", ready))
    bench.figures.set("server_idle_mb", bench.figures.observe("server_idle_mb", idle))


async def measure_group_creates(bench: Bench) -> None:
    """Creates of episodes whose task has a template: one by one, then as fast as they come."""
    task = bench.tasks[0]
    async with bench.serve() as served:
        await served.release(*await served.create_group(task, 2))
        repetitions = track(range(bench.repetitions), description="Creating episodes of one task")
        taken = [await _create_and_release(served, task) for _ in repetitions]
        median = bench.figures.observe("create_group_ms", taken)
        bench.figures.set("create_group_ms_p50", median)

        ways: dict[str, Callable[[], Awaitable[list[str]]]] = {
            f"create_group of {GROUP}": lambda: served.create_group(task, GROUP),
            "4 creates at once": lambda: _create_at_once(served, [task] * GROUP, 4),
            "8 creates at once": lambda: _create_at_once(served, [task] * GROUP, 8),
        }
        rates = {
            way: await _rate_of_creates(served, create, way, of_slots=2)
            for way, create in ways.items()
        }
        rates["creates and releases, 8 at once"] = await _rate_with_releases(served, task)
    bench.figures.details["creates_per_s"] = {way: round(rate, 1) for way, rate in rates.items()}
    bench.figures.set("creates_per_s", max(rates.values()))


async def _rate_of_creates(
    served: Served, create: Callable[[], Awaitable[list[str]]], way: str, *, of_slots: int
) -> float:
    """Creates a second while all slots fill up, several times; releases are not counted."""
    seconds = 0.0
    for _ in track(range(of_slots), description=f"Filling all slots: {way}"):
        begin = time.perf_counter()
        episodes = [one for _ in range(SLOTS // GROUP) for one in await create()]
        seconds += time.perf_counter() - begin
        await served.release(*episodes)
    return of_slots * SLOTS / seconds


async def _rate_with_releases(served: Served, task: str) -> float:
    """Creates a second when each is released at once."""
    begin = time.perf_counter()

    async def some() -> None:
        for _ in range(GROUP):
            await served.release(await served.create(task))

    await asyncio.gather(*(some() for _ in range(8)))
    return 8 * GROUP / (time.perf_counter() - begin)


async def measure_new_tasks(bench: Bench) -> None:
    """Creates of tasks that were never opened: half of them one by one, half 4 at once."""
    half = len(bench.tasks) // 2
    taken: list[float] = []
    rates: list[float] = []
    for number in range(2):
        ours, others = bench.tasks[:half], bench.tasks[half:]
        if number:
            ours, others = others, ours
        async with bench.serve() as served:
            one_by_one = track(ours, description="Creating episodes of new tasks")
            taken += [await _create_and_release(served, task) for task in one_by_one]
            begin = time.perf_counter()
            episodes = await _create_at_once(served, others, 4)
            rates.append(len(others) / (time.perf_counter() - begin))
            await served.release(*episodes)
    bench.figures.set("create_new_task_ms_p50", bench.figures.observe("create_new_task_ms", taken))
    bench.figures.details["new_tasks_per_s"] = [round(rate, 1) for rate in rates]
    bench.figures.set("new_tasks_per_s", max(rates))


async def measure_memory_of_one_task(bench: Bench) -> None:
    async with bench.serve() as served:
        before = pss_mb(served.processes())
        groups = [await served.create_group(bench.tasks[0], GROUP) for _ in range(SLOTS // GROUP)]
        await _record_memory(
            bench, served, "pss_mb_one_task_64", before, [one for group in groups for one in group]
        )


async def measure_memory_of_many_tasks(bench: Bench) -> None:
    async with bench.serve() as served:
        before = pss_mb(served.processes())
        episodes = await _create_at_once(served, bench.tasks[:SLOTS], 4)
        await _record_memory(bench, served, "pss_mb_64_tasks", before, episodes)


async def _record_memory(
    bench: Bench, served: Served, key: str, before: float, episodes: Sequence[str]
) -> None:
    """What an episode takes, after its create and after the mix."""
    created = pss_mb(served.processes())
    await _play_all(served, episodes, f"Playing in {len(episodes)} episodes ({key})")
    played = pss_mb(served.processes())
    status = await served.status()
    bench.figures.details[key] = {
        "idle_mb": round(before, 1),
        "an_episode_after_create_mb": round((created - before) / len(episodes), 2),
        "all_after_the_mix_mb": round(played, 1),
        "page_tables_mb": round(sum(map(_page_tables_mb, served.processes())), 1),
        "templates": status["templates"],
    }
    bench.figures.set(key, (played - before) / len(episodes))


def _page_tables_mb(process: object) -> float:
    """Kernel memory, which is in no PSS."""
    pid = getattr(process, "pid", 0)
    for row in Path(f"/proc/{pid}/status").read_text().splitlines():
        if row.startswith("VmPTE:"):
            return int(row.split()[1]) * 1024 / 1e6
    return 0.0


async def measure_step_overhead(bench: Bench) -> None:
    """`x=1` over HTTP and natively, in turns."""
    over_http: list[float] = []
    natively: list[float] = []
    cpu_seconds = 0.0
    async with bench.serve() as served, native(bench.python, bench.world) as beside:
        episode = await served.create(bench.tasks[0])
        await beside.open(bench.tasks[0])
        await beside.execute(*["x=1"] * _WARM_UP)
        for _ in range(_WARM_UP):
            await served.execute(episode, "x=1")
        for _ in track(range(bench.rounds), description="Taking steps of x=1"):
            begin = time.process_time()
            over_http += [
                await _milliseconds(served.execute(episode, "x=1"))
                for _ in range(bench.repetitions)
            ]
            cpu_seconds += time.process_time() - begin
            natively += await beside.execute(*["x=1"] * bench.repetitions)
    client = cpu_seconds * 1000 / len(over_http)
    bench.figures.details["client_cpu_ms_a_call"] = round(client, 3)
    overhead = bench.figures.observe("step_x1_http_ms", over_http) - bench.figures.observe(
        "step_x1_native_ms", natively
    )
    bench.figures.set("step_overhead_ms_p50", overhead)


async def measure_steps_ratio(bench: Bench) -> None:
    """Steps a second of 16 live episodes, and of two native processes, in turns."""
    rates: list[tuple[float, float]] = []
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(bench.serve())
        pair = [
            await stack.enter_async_context(native(bench.python, bench.world)) for _ in range(2)
        ]
        tasks = itertools.cycle(bench.tasks)
        # Both have played before: only what an episode costs is left.
        await asyncio.gather(*(_play_natively(one, next(tasks), 1) for one in pair))
        await _rate_of_steps(served, [next(tasks) for _ in range(4)])
        steps_natively: list[float] = []
        for _ in track(range(bench.rounds), description="Playing the mix"):
            over_http = await _rate_of_steps(served, [next(tasks) for _ in range(4)])
            both = await asyncio.gather(*(_play_natively(one, next(tasks), 2) for one in pair))
            rates.append((over_http, sum(len(ms) / (sum(ms) / 1000) for ms in both)))
            steps_natively += [ms for times in both for ms in times]
    bench.figures.observe("step_of_the_mix_native_ms", steps_natively)
    bench.figures.details["steps_per_s"] = [
        {"over_http": round(ours, 1), "native": round(theirs, 1)} for ours, theirs in rates
    ]
    ratio = statistics.median(ours / theirs for ours, theirs in rates)
    bench.figures.set("steps_ratio_native", ratio)


async def _rate_of_steps(served: Served, tasks: Sequence[str]) -> float:
    """Steps a second of 16 episodes, 4 of each task, that all play the mix at once."""
    each = PLAYED_AT_ONCE // len(tasks)
    groups = [await served.create_group(task, each) for task in tasks]
    episodes = [one for group in groups for one in group]
    begin = time.perf_counter()
    await asyncio.gather(*(_play(served, one) for one in episodes))
    seconds = time.perf_counter() - begin
    await served.release(*episodes)
    return len(episodes) * len(MIX) / seconds


async def _play_natively(process: Native, task: str, worlds: int) -> list[float]:
    """How long each step took; opening the worlds is not counted."""
    taken: list[float] = []
    for _ in range(worlds):
        await process.open(task)
        taken += await process.execute(*MIX)
    return taken


async def measure_step_growth(bench: Bench) -> None:
    """A small step after many API calls against the same one at the start."""
    growth: dict[str, list[float]] = {name: [] for name in _SMALL_STEPS}
    async with bench.serve() as served:
        for task in track(bench.tasks[: bench.rounds], description=f"Calling {API_CALLS} APIs"):
            episode = await served.create(task)
            at_start = await _small_steps(served, episode, bench.repetitions)
            code = f"for _ in range({_CALLS_A_STEP}): apis.supervisor.show_profile()"
            made = bench.repetitions
            while made < API_CALLS:
                require_success(code, await served.execute(episode, code))
                made += _CALLS_A_STEP
            after = await _small_steps(served, episode, bench.repetitions)
            for name in _SMALL_STEPS:
                growth[name].append(after[name] / at_start[name])
    medians = {name: statistics.median(ratios) for name, ratios in growth.items()}
    bench.figures.details["step_growth_650"] = {
        name: round(median, 3) for name, median in medians.items()
    }
    bench.figures.set("step_growth_650", max(medians.values()))


async def _small_steps(served: Served, episode: str, times: int) -> dict[str, float]:
    """The median of each small step."""
    for code in _SMALL_STEPS.values():
        require_success(code, await served.execute(episode, code))
    return {
        name: statistics.median(
            [await _milliseconds(served.execute(episode, code)) for _ in range(times)]
        )
        for name, code in _SMALL_STEPS.items()
    }


async def measure_evaluations(bench: Bench) -> None:
    """Evaluations after three steps, of tasks without a template and then with one."""
    apart: dict[str, list[float]] = {"without a template": [], "with one": []}
    tasks = bench.tasks[:: max(1, len(bench.tasks) // bench.repetitions)]
    async with bench.serve() as served:
        for task in track(tasks, description="Evaluating"):
            for kind, taken in apart.items():
                if kind == "without a template":
                    episodes = [await served.create(task)]
                else:
                    episodes = await served.create_group(task, 2)
                for code in MIX[2:5]:
                    require_success(code, await served.execute(episodes[0], code))
                taken.append(await _milliseconds(served.evaluate(episodes[0])))
                await served.release(*episodes)
    for kind, taken in apart.items():
        bench.figures.observe(f"evaluate_ms, tasks {kind}", taken)
    everything = [ms for taken in apart.values() for ms in taken]
    bench.figures.set("evaluate_ms_p50", bench.figures.observe("evaluate_ms", everything))


async def measure_forks(bench: Bench) -> None:
    """Forks of running episodes after 5 steps."""
    taken: list[float] = []
    async with bench.serve() as served:
        for task in track(bench.tasks[: bench.repetitions // 4], description="Forking episodes"):
            episode = await served.create(task)
            for code in MIX[:5]:
                require_success(code, await served.execute(episode, code))
            for _ in range(4):
                begin = time.perf_counter()
                branches = await served.fork(episode)
                taken.append((time.perf_counter() - begin) * 1000)
                await served.release(*branches)
            await served.release(episode)
    bench.figures.set("fork_running_ms_p50", bench.figures.observe("fork_running_ms", taken))


async def _create_and_release(served: Served, task: str) -> float:
    """How long the create takes."""
    begin = time.perf_counter()
    episode = await served.create(task)
    taken = time.perf_counter() - begin
    await served.release(episode)
    return taken * 1000


async def _milliseconds(call: Awaitable[object]) -> float:
    begin = time.perf_counter()
    await call
    return (time.perf_counter() - begin) * 1000


async def _create_at_once(served: Served, tasks: Sequence[str], at_once: int) -> list[str]:
    room = asyncio.Semaphore(at_once)

    async def create(task: str) -> str:
        async with room:
            return await served.create(task)

    return await asyncio.gather(*map(create, tasks))


async def _play_all(served: Served, episodes: Sequence[str], description: str) -> None:
    for first in track(range(0, len(episodes), PLAYED_AT_ONCE), description=description):
        some = episodes[first : first + PLAYED_AT_ONCE]
        await asyncio.gather(*(_play(served, episode) for episode in some))


async def _play(served: Served, episode: str) -> None:
    for code in MIX:
        require_success(code, await served.execute(episode, code))
