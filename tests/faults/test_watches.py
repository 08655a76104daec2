"""Watches that end, begin anew, or tell of things late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.support.cluster import until
from tests.faults.support.trial import Rig, Trial
from tests.faults.support.weather import Gone, Wall, error_object

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def cut(trial: Trial) -> int:
    return trial.proxy.cut_streams()


async def end_with_410(trial: Trial) -> int:
    return await trial.proxy.end_streams(error_object(410))


async def end_with_500(trial: Trial) -> int:
    """The operator ends, and is started again."""
    return await trial.proxy.end_streams(error_object(500))


async def lag(trial: Trial) -> int:
    trial.proxy.lag = trial.random.uniform(0, 2)
    return 1


STREAMS: dict[str, Callable[[Trial], Awaitable[int]]] = {
    "watches cut": cut,
    "watches end with 410": end_with_410,
    "watches end with 500": end_with_500,
    "watches lag": lag,
}


async def test_watches_fail_all_the_time(rig: Rig, is_long: bool) -> None:
    """All kinds at once, each in a namespace with an operator of its own."""

    async def work_with(case: str, fault: Callable[[Trial], Awaitable[int]]) -> None:
        async with rig.trial(case, most=12) as trial:
            users = asyncio.create_task(trial.workload.run(3600, pause=0.4))
            for _ in range(100 if is_long else 10):
                await asyncio.sleep(trial.random.uniform(0, 1))
                trial.faults += await fault(trial)
            users.cancel()
            trial.proxy.lag = 0
            await trial.finish()

    async with asyncio.TaskGroup() as cases:
        for case, fault in STREAMS.items():
            cases.create_task(work_with(case, fault))
        cases.create_task(lose_what_was_deleted(rig))


async def lose_what_was_deleted(rig: Rig) -> None:
    """Things are deleted while nothing is watched, and the watches begin anew after that."""
    async with rig.trial("watches miss deletions") as trial:
        users = trial.workload
        names = [await users.create() for _ in range(3)]
        names += [await users.claim(wait=True) for _ in range(3)]
        await users.settle()
        trial.proxy.faults.append(Wall(lambda call: call.is_watch))
        trial.proxy.cut_streams()
        await users.delete(names[0])
        await users.delete(names[3])
        for name in (names[1], names[4]):
            await users.delete_pod_of(name)
        gone = Gone(trial.random, share=1)
        trial.proxy.faults[:] = [gone]

        async def is_not_told() -> str | None:
            return None if len(gone.met) >= 3 else f"{len(gone.met)} of 3 watches were told"

        await until("all watches begin anew", is_not_told)
        trial.faults = len(gone.met)
        await trial.finish()
