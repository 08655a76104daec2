"""The operator may be killed at any instruction: nothing is lost, made twice, or left behind."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Literal

from tests.faults.support.case import case
from tests.faults.support.cluster import until
from tests.faults.support.points import POINTS
from tests.faults.support.trial import Rig, Trial
from tests.support.api_proxy import Trap


@case("killed at every point")
async def killed_at_every_point(rig: Rig) -> None:
    points = list(product(POINTS, ("before", "after"))) * rig.form.rounds(short=1, long=5)
    async with rig.trial("killed at every point") as trial:
        trial.random.shuffle(points)
        async with trial.users():
            for point, when in points:
                await kill_at(trial, point, when)
        await trial.finish()


@case("killed at random times")
async def killed_at_random_times(rig: Rig) -> None:
    async with rig.trial("killed at random times") as trial:
        async with trial.users():
            while trial.operator.kills < rig.form.kills:
                await trial.operator.until_up()
                await asyncio.sleep(trial.random.uniform(0, 1))
                trial.operator.kill()
        await trial.finish()


async def kill_at(trial: Trial, point: str, when: Literal["before", "after"]) -> None:
    await trial.operator.until_up()
    trap = Trap(when, POINTS[point], trial.operator.kill)
    trial.meet(trap)

    async def has_not_fired() -> str | None:
        return None if trap.fired else "it does not happen"

    await until(f"killed {when} {point}", has_not_fired)
    trial.forget(trap)
