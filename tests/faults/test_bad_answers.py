"""An API server, or a server in a pod, that answers badly, late, or not at all."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from tests.faults.support.cluster import until
from tests.faults.support.trial import Rig
from tests.faults.support.weather import BadAnswer, BlackHole, LostAnswer, Reset, Weather
from tests.support.api_proxy import Call

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEATHERS: dict[str, Callable[[Random], Weather]] = {
    "answers 429": lambda random: BadAnswer(random, 429, retry_after=1),
    "answers 500": lambda random: BadAnswer(random, 500),
    "answers 503": lambda random: BadAnswer(random, 503),
    "connections reset": Reset,
    "answers lost": LostAnswer,
    "black hole": lambda random: BlackHole(random, 0.03),
}


async def test_a_third_of_all_calls_meets_a_fault(rig: Rig, is_long: bool) -> None:
    """All kinds at once, each in a namespace with an operator of its own."""

    async def work_in(case: str, kind: Callable[[Random], Weather]) -> None:
        async with rig.trial(case, most=12) as trial:
            weather = kind(trial.random)
            trial.meet(weather)
            await trial.workload.run(60 if is_long else 6, pause=0.4)
            trial.faults = len(weather.met)
            await trial.finish()

    async with asyncio.TaskGroup() as cases:
        for case, kind in WEATHERS.items():
            cases.create_task(work_in(case, kind))


async def test_what_is_refused_with_retry_after_is_not_tried_before(rig: Rig) -> None:
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


def tries(calls: list[Call]) -> dict[str, list[float]]:
    """When each thing was tried, by what it is."""
    moments: defaultdict[str, list[float]] = defaultdict(list)
    for call in calls:
        metadata = call.json()["metadata"] if call.method == "POST" else {}
        moments[f"{call.method} {call.path} {metadata.get('name', '')}"].append(call.at)
    return moments
