"""How long nobody does the operator's work when the one that leads is killed, or ended."""

import asyncio
import signal
import time
from functools import partial

import aiohttp
import psutil

from benchmarks.control_plane import free_port
from benchmarks.figures import BenchmarkError, Figures
from benchmarks.operator_measures import instance
from benchmarks.operator_rig import INSTANCES, NAMESPACE, PODS, Rig, until


class Candidate:
    """One of two operators, with a lease of the length that the chart gives it."""

    def __init__(self, rig: Rig, port: int) -> None:
        self.health = f"http://127.0.0.1:{port}/healthz"
        started = rig.plane.run(
            f"operator-{port}",
            "training-sandbox-operator",
            f"--namespace={NAMESPACE}",
            f"--catalogue={rig.catalogue}",
            f"--health-port={port}",
            f"--lease={rig.lease}",
            "--signing-key=default/signing-key",
            "--log-level=warning",
        )
        self.process = psutil.Process(started.pid)

    async def leads(self, http: aiohttp.ClientSession) -> bool | None:
        """Whether it leads; None while it does not answer."""
        try:
            async with http.get(self.health) as answer:
                return (await answer.json()).get("leads")
        except (aiohttp.ClientError, OSError):
            return None


async def measure_hand_over(rig: Rig, figures: Figures, suffix: str = "") -> None:
    """From the signal to the leader until an instance that is created then has its pod.

    The rig's own operator stands still meanwhile.
    """
    rig.operator.stop()
    api, http, ports = rig.api, rig.http, (free_port(), free_port())
    for signalled, number in (("sigkill", signal.SIGKILL), ("sigterm", signal.SIGTERM)):
        candidates = [Candidate(rig, port) for port in ports]

        async def one_leads(candidates: list[Candidate] = candidates) -> bool:
            answers = [await one.leads(http) for one in candidates]
            return sorted(map(str, answers)) == ["False", "True"]

        await until("one of two operators leads", one_leads)
        (leader,) = [one for one in candidates if await one.leads(http)]
        (other,) = [one for one in candidates if one is not leader]
        begin = time.perf_counter()
        leader.process.send_signal(number)
        name = f"hand-over-{signalled}"
        await api.call("POST", INSTANCES, instance(name))
        await until("the other one leads", partial(other.leads, http))
        knows_all = time.perf_counter() - begin
        await until("the instance has a pod", partial(rig.has, PODS, name))
        key = f"handover_{signalled}_s{suffix}"
        figures.set(key, time.perf_counter() - begin)
        figures.details[f"{key}_until_all_is_listed"] = round(knows_all, 3)
        await _end(candidates)
        await api.call("DELETE", f"{INSTANCES}/{name}")
    rig.operator.start()
    await rig.operator.until_healthy(http)


async def _end(candidates: list[Candidate]) -> None:
    for one in candidates:
        if one.process.is_running():
            one.process.terminate()
    for one in candidates:
        try:
            await asyncio.to_thread(one.process.wait, 30)
        except psutil.TimeoutExpired:
            raise BenchmarkError("an operator does not end") from None
