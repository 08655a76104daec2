"""An API server, or a server in a pod, that answers badly, late, or not at all."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from tests.faults.support.case import case
from tests.faults.support.cluster import until
from tests.faults.support.trial import Rig, Trial
from tests.faults.support.weather import BadAnswer, BlackHole, LostAnswer, Reset, Weather
from tests.support.api_proxy import Call

LEAST_FAULTS = 5


@case("answers 429")
async def answers_429(rig: Rig) -> None:
    async with rig.trial("answers 429", most=12) as trial:
        await work_in(trial, BadAnswer(trial.random, 429, retry_after=1))


@case("answers 500")
async def answers_500(rig: Rig) -> None:
    async with rig.trial("answers 500", most=12) as trial:
        await work_in(trial, BadAnswer(trial.random, 500))


@case("answers 503")
async def answers_503(rig: Rig) -> None:
    async with rig.trial("answers 503", most=12) as trial:
        await work_in(trial, BadAnswer(trial.random, 503))


@case("connections reset")
async def connections_reset(rig: Rig) -> None:
    async with rig.trial("connections reset", most=12) as trial:
        await work_in(trial, Reset(trial.random))


@case("answers lost")
async def answers_lost(rig: Rig) -> None:
    async with rig.trial("answers lost", most=12) as trial:
        await work_in(trial, LostAnswer(trial.random))


@case("answers lost and watches lag", is_slow=True)
async def answers_lost_and_watches_lag(rig: Rig) -> None:
    """Nothing tells of the pods that were made: the next attempt finds them by their names."""
    async with rig.trial("answers lost and watches lag") as trial:
        lost = LostAnswer(trial.random, matches=lambda call: call.is_write)
        trial.meet(lost)
        trial.proxy.lag = 1
        for _ in range(rig.form.rounds(short=4, long=20)):
            for replicas in (6, 1):
                await trial.workload.scale(replicas)
                await trial.workload.until_filled(replicas)
        trial.faults = len(lost.met)
        trial.proxy.lag = 0
        await trial.finish()


@case("black hole", is_slow=True)
async def black_hole(rig: Rig) -> None:
    """Each of these calls holds up what waits for it until the operator gives up on it."""
    async with rig.trial("black hole", most=12) as trial:
        await work_in(trial, BlackHole(trial.random, 0.06))


@case("retry after")
async def retry_after(rig: Rig) -> None:
    """What is refused with Retry-After is not tried before."""
    async with rig.trial("retry after") as trial:
        busy = BadAnswer(
            trial.random, 429, retry_after=2, share=1, matches=lambda one: one.is_write
        )
        trial.proxy.faults.append(busy)
        for _ in range(3):
            await trial.workload.create()
            await trial.workload.claim(wait=True)

        async def what_was_not_tried_twice() -> str | None:
            once = [what for what, moments in tries(busy.met).items() if len(moments) < 2]
            return f"tried once: {once}" if once or len(busy.met) < 6 else None

        await until("all is tried again", what_was_not_tried_twice)
        for what, moments in tries(busy.met).items():
            assert all(later - earlier >= 2 for earlier, later in pairwise(moments)), what
        trial.faults = len(busy.met)
        await trial.finish()


async def work_in(trial: Trial, weather: Weather) -> None:
    """Have the users act while it lasts, and for as long as little has come of it."""
    trial.meet(weather)
    await trial.workload.run(trial.rig.form.rounds(short=6, long=60), pause=0.4)
    while len(weather.met) < LEAST_FAULTS:
        await trial.workload.run(1, pause=0.4)
    trial.faults = len(weather.met)
    await trial.finish()


def tries(calls: list[Call]) -> dict[str, list[float]]:
    """When each thing was tried, by what it is."""
    moments: defaultdict[str, list[float]] = defaultdict(list)
    for call in calls:
        metadata = call.json()["metadata"] if call.method == "POST" else {}
        moments[f"{call.method} {call.path} {metadata.get('name', '')}"].append(call.at)
    return moments
