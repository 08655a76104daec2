"""The operator may be killed at any instruction: nothing is lost, made twice, or left behind."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.support.trial import Rig

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_killed_at_random_times(rig: Rig, kills: int) -> None:
    async with rig.trial("killed at random") as trial:
        users = asyncio.create_task(trial.workload.run(3600))
        while trial.operator.kills < kills:
            await trial.operator.until_up()
            await asyncio.sleep(trial.random.uniform(0, 1))
            trial.operator.kill()
        users.cancel()
        await trial.finish()
