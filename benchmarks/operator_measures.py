"""What of the operator is measured, each against a control plane with fake nodes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from benchmarks.control_plane import Api
from benchmarks.figures import BenchmarkError, Figures, percentile
from benchmarks.operator_rig import EVENTS, INSTANCES, PODS, POOLS, SECRETS, Rig, until

_PATCHED_A_SECOND = 40
_NEXT = "the-next"
_HELD_MS = 500
# The scheduler's and kwok's are about pods. Those of an instance outlive it.
_OPERATORS_EVENTS = (
    f"fieldSelector=involvedObject.kind=TrainingInstance,involvedObject.name!={_NEXT}"
)
# The pods' addresses are nobody's: the servers cannot be asked whether they are idle.
_LASTING = {"ttlSeconds": 86400, "idleTimeoutSeconds": 86400}


class Watched:
    """What a watcher of instances has seen: when each was Ready, and when each was gone."""

    def __init__(self) -> None:
        self.ready_at: dict[str, float] = {}
        self.gone_at: dict[str, float] = {}

    async def follow(self, api: Api, since: str) -> None:
        async for event in api.watch(INSTANCES, since):
            now = time.perf_counter()
            one = event["object"]
            name = one["metadata"].get("name", "")
            if event["type"] == "DELETED":
                self.gone_at.setdefault(name, now)
            elif one.get("status", {}).get("phase") == "Ready":
                self.ready_at.setdefault(name, now)


@asynccontextmanager
async def watched(api: Api) -> AsyncGenerator[Watched]:
    seen = Watched()
    listed = await api.call("GET", f"{INSTANCES}?limit=1")
    async with asyncio.TaskGroup() as tasks:  # a watch that fails ends the measurement
        following = tasks.create_task(seen.follow(api, listed["metadata"]["resourceVersion"]))
        yield seen
        following.cancel()


def instance(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "trainingsandbox.dev/v1alpha1",
        "kind": "TrainingInstance",
        "metadata": {"name": name},
        "spec": {"envType": "bench", **_LASTING, **spec},
    }


async def fill_pool(api: Api, size: int) -> float:
    """Create the pool, or make it whole again; returns the seconds that took."""
    begin = time.perf_counter()
    pool = {
        "apiVersion": "trainingsandbox.dev/v1alpha1",
        "kind": "TrainingPool",
        "metadata": {"name": "warm"},
        "spec": {"envType": "bench", "replicas": size},
    }
    with contextlib.suppress(BenchmarkError):
        await api.call("POST", POOLS, pool)
    patch = {"spec": {"replicas": size}}
    await api.call("PATCH", f"{POOLS}/warm", patch, "application/merge-patch+json")

    async def is_full() -> bool:
        status = (await api.call("GET", f"{POOLS}/warm")).get("status", {})
        return status.get("readyReplicas", 0) >= size

    await until(f"{size} warm pods are ready", is_full)
    return time.perf_counter() - begin


async def create_at(api: Api, rate: float, manifests: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Create objects at an even rate, whatever the answers take; returns when each was begun."""
    begun: dict[str, float] = {}
    creations: list[asyncio.Task[Any]] = []
    start = time.perf_counter()
    for number, manifest in enumerate(manifests):
        await asyncio.sleep(max(start + number / rate - time.perf_counter(), 0))
        begun[manifest["metadata"]["name"]] = time.perf_counter()
        creations.append(asyncio.create_task(api.call("POST", INSTANCES, manifest)))
    await asyncio.gather(*creations)
    return begun


async def until_ready(seen: Watched, names: Sequence[str]) -> None:
    async def all_are() -> bool:
        return all(name in seen.ready_at for name in names)

    await until(f"{len(names)} instances are Ready", all_are)


async def claim_latencies(api: Api, rate: float, seconds: float, prefix: str) -> list[float]:
    """Milliseconds from the creation of an instance until a watcher sees it Ready."""
    manifests = [
        instance(f"{prefix}-{number}", poolRef={"name": "warm"})
        for number in range(int(rate * seconds))
    ]
    async with watched(api) as seen:
        begun = await create_at(api, rate, manifests)
        await until_ready(seen, list(begun))
    return [1000 * (seen.ready_at[name] - at) for name, at in begun.items()]


async def measure_claims(rig: Rig, figures: Figures, *, pool: int, rate: float) -> None:
    figures.details["pool_filled_s"] = round(await fill_pool(rig.api, pool), 1)
    before, samples = await _claims(rig, pool=pool, rate=rate)
    figures.details["cpu_ms_a_claim"] = {
        name: round(1000 * (seconds - before[name]) / len(samples), 1)
        for name, seconds in rig.plane.cpu_seconds().items()
    }
    figures.set("claim_ms_p50", figures.observe("claim_ms", samples))
    figures.set("claim_ms_p90", percentile(samples, 0.9))
    figures.set("claim_ms_p99", percentile(samples, 0.99))


async def measure_claim_rate(rig: Rig, trials: dict[str, float], *, rate: float) -> bool:
    """Whether a rate of claims is held for 10 s with a p99 of at most 500 ms.

    The pool is a fifth larger than what is claimed: how fast pods start is not the question.
    """
    pool = int(12 * rate)
    await fill_pool(rig.api, pool)
    _, samples = await _claims(rig, pool=pool, rate=rate)
    trials[f"{rate:.0f}"] = round(percentile(samples, 0.99), 1)
    return percentile(samples, 0.99) <= _HELD_MS


async def _claims(rig: Rig, *, pool: int, rate: float) -> tuple[dict[str, float], list[float]]:
    """Claim for 10 s from a pool that is full.

    Returns what the parts had used of the processor before, and the latencies.
    """
    # What a first request costs (connections, caches) is paid once in the operator's life.
    await claim_latencies(rig.api, 10, 1, "warm-up")
    await fill_pool(rig.api, pool)
    await rig.until_quiet()
    before = rig.plane.cpu_seconds()
    return before, await claim_latencies(rig.api, rate, 10, "claim")


async def measure_ready_lag(rig: Rig, figures: Figures, *, rate: float, seconds: float) -> None:
    """From a pod Ready to its instance Ready, both as watchers see them."""
    api = rig.api
    await rig.until_quiet()
    ready_at: dict[str, float] = {}

    async def follow(since: str) -> None:
        async for event in api.watch(PODS, since):
            one = event["object"]
            conditions = one.get("status", {}).get("conditions", [])
            if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
                owner = one["metadata"]["ownerReferences"][0]["name"]
                ready_at.setdefault(owner, time.perf_counter())

    listed = await api.call("GET", f"{PODS}?limit=1")
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow(listed["metadata"]["resourceVersion"]))
        manifests = [instance(f"cold-{number}") for number in range(int(rate * seconds))]
        async with watched(api) as seen:
            begun = await create_at(api, rate, manifests)
            names = list(begun)
            await until_ready(seen, names)
        following.cancel()
    took = max(seen.ready_at[name] for name in names) - min(begun.values())
    figures.set("cold_starts_per_s", len(names) / took)
    to_ready = [1000 * (seen.ready_at[name] - at) for name, at in begun.items()]
    figures.observe("cold_start_ms", to_ready)
    samples = [1000 * (seen.ready_at[name] - ready_at[name]) for name in names]
    figures.set("ready_lag_ms_p50", figures.observe("ready_lag_ms", samples))
    figures.set("ready_lag_ms_p99", percentile(samples, 0.99))


async def prepare_many(api: Api, count: int) -> None:
    """Have so many instances Ready, as fast as the operator makes them so."""
    have = int(await _count(api, INSTANCES))
    async with watched(api) as seen:
        names = [f"many-{number}" for number in range(have, count)]
        for start in range(0, len(names), 200):
            part = names[start : start + 200]
            await asyncio.gather(*(api.call("POST", INSTANCES, instance(name)) for name in part))
            await until_ready(seen, names[: max(start - 200, 0)])
        await until_ready(seen, names)


def suffix_of(count: int) -> str:
    """What the keys of so many instances end with."""
    return "10k" if count == 10_000 else str(count)


async def measure_many(rig: Rig, figures: Figures, *, count: int) -> None:
    """A start of the operator with so many instances there, and its cost while nothing happens."""
    api, operator = rig.api, rig.operator
    suffix = suffix_of(count)
    operator.stop()
    before = await _versions(api)
    begin = time.perf_counter()
    operator.start()
    await operator.until_healthy(rig.http)
    # It waits behind all those that were there.
    await api.call("POST", INSTANCES, instance(_NEXT))
    is_seen = partial(rig.has, PODS, _NEXT)
    await until("an instance that came after the start is looked at", is_seen)
    figures.set(f"cold_start_s_{suffix}", time.perf_counter() - begin)
    await _delete_the_next(rig)
    await asyncio.sleep(20)
    after = await _versions(api)
    changed = [uid for uid in before.keys() | after.keys() if before.get(uid) != after.get(uid)]
    figures.set(f"startup_writes_{suffix}", len(changed))
    cpu_before = operator.process.cpu_times()
    idle_seconds = 75  # every watch begins anew once a minute
    await asyncio.sleep(idle_seconds)
    cpu = operator.process.cpu_times()
    spent = cpu.user + cpu.system - cpu_before.user - cpu_before.system
    figures.set(f"idle_cpu_{suffix}", spent / idle_seconds)
    figures.set(f"rss_mb_{suffix}", operator.process.memory_info().rss / 2**20)


async def measure_ttl(api: Api, figures: Figures, *, due: int, within: float) -> None:
    """How late instances are deleted of which so many are due in this time."""
    listed = (await api.call("GET", f"{INSTANCES}?limit={due}"))["items"]
    start = datetime.now(UTC) + timedelta(seconds=10 + due / _PATCHED_A_SECOND)
    due_at: dict[str, datetime] = {}
    patches: list[tuple[str, int]] = []
    for number, one in enumerate(listed):
        name = one["metadata"]["name"]
        created = datetime.fromisoformat(one["metadata"]["creationTimestamp"])
        wanted = start + timedelta(seconds=within * number / due)
        seconds = int((wanted - created).total_seconds()) + 1
        patches.append((name, seconds))
        due_at[name] = created + timedelta(seconds=seconds)
    offset = time.perf_counter() - datetime.now(UTC).timestamp()
    async with watched(api) as seen:
        await asyncio.gather(*(_have_ended_after(api, patches[part::8]) for part in range(8)))
        if datetime.now(UTC) > start:
            raise BenchmarkError("the first instances were due before all had their ttlSeconds")

        async def all_are_gone() -> bool:
            return all(name in seen.gone_at for name in due_at)

        await until(f"{due} instances are deleted", all_are_gone)
        late = [seen.gone_at[name] - offset - at.timestamp() for name, at in due_at.items()]
    figures.observe("ttl_late_s", late)
    figures.set("ttl_late_s_p99", percentile(late, 0.99))


async def _have_ended_after(api: Api, patches: Sequence[tuple[str, int]]) -> None:
    for name, seconds in patches:
        patch = {"spec": {"ttlSeconds": seconds}}
        await api.call("PATCH", f"{INSTANCES}/{name}", patch, "application/merge-patch+json")


async def _delete_the_next(rig: Rig) -> None:
    await rig.api.call("DELETE", f"{INSTANCES}/{_NEXT}", {"propagationPolicy": "Background"})

    async def nothing_is_left() -> bool:
        return not (await rig.has(PODS, _NEXT) or await rig.has(SECRETS, _NEXT))

    await until("what the instance that came after the start had is gone", nothing_is_left)


async def _count(api: Api, path: str) -> int:
    listed = await api.call("GET", f"{path}?limit=1")
    return len(listed["items"]) + listed["metadata"].get("remainingItemCount", 0)


async def _versions(api: Api) -> dict[str, str]:
    """The versions of all that the operator may write to, but for Events about the next."""
    versions: dict[str, str] = {}
    for path in (INSTANCES, PODS, POOLS, SECRETS, f"{EVENTS}?{_OPERATORS_EVENTS}"):
        position = ""
        while True:
            query = f"limit=1000{f'&continue={position}' if position else ''}"
            page = await api.call("GET", f"{path}{'&' if '?' in path else '?'}{query}")
            for one in page["items"]:
                metadata = one["metadata"]
                versions[metadata["uid"]] = metadata["resourceVersion"]
            position = page["metadata"].get("continue", "")
            if not position:
                break
    return versions
