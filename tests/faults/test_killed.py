"""The operator may be killed at any instruction: nothing is lost, made twice, or left behind."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Literal

import pytest

from tests.faults.support.cluster import until
from tests.faults.support.points import POINTS
from tests.faults.support.trial import Rig, Trial
from tests.support.api_proxy import Trap

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_killed_at_every_point(rig: Rig, is_long: bool) -> None:
    points = list(product(POINTS, ("before", "after"))) * (5 if is_long else 1)
    async with rig.trial("killed at every point") as trial:
        trial.random.shuffle(points)
        users = asyncio.create_task(trial.workload.run(3600))
        for point, when in points:
            await kill_at(trial, point, when)
        users.cancel()
        await trial.finish()


async def test_killed_at_random_times(rig: Rig, kills: int) -> None:
    async with rig.trial("killed at random times") as trial:
        users = asyncio.create_task(trial.workload.run(3600))
        while trial.operator.kills < kills:
            await trial.operator.until_up()
            await asyncio.sleep(trial.random.uniform(0, 1))
            trial.operator.kill()
        users.cancel()
        await trial.finish()


async def kill_at(trial: Trial, point: str, when: Literal["before", "after"]) -> None:
    await trial.operator.until_up()
    trap = Trap(when, POINTS[point], trial.operator.kill)
    trial.meet(trap)

    async def has_not_fired() -> str | None:
        return None if trap.fired else "it does not happen"

    await until(f"killed {when} {point}", has_not_fired)
    trial.proxy.faults.remove(trap)
    trial.rig.node.faults[trial.namespace].remove(trap)
