"""Watches that end, begin anew, or tell of things late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.faults.support.case import case
from tests.faults.support.cluster import until
from tests.faults.support.trial import Rig, Trial
from tests.faults.support.weather import Gone, Wall, error_object


@case("watches miss deletions", is_slow=True)
async def watches_miss_deletions(rig: Rig) -> None:
    """Things are deleted while nothing is watched, and the watches begin anew after that.

    Nobody tells of them any more: the operator's next list does, within a minute.
    """
    async with rig.trial("watches miss deletions") as trial:
        users = trial.workload
        names = [await users.create() for _ in range(3)]
        names += [await users.claim(wait=True) for _ in range(3)]
        await users.settle()
        wall, gone = Wall(lambda call: call.is_watch), Gone(trial.random, share=1)
        trial.meet(wall)
        trial.proxy.cut_streams()
        await users.delete(names[0])
        await users.delete(names[3])
        for name in (names[1], names[4]):
            await users.delete_pod_of(name)
        for secret in await rig.cluster.items(users.secrets):
            await users.delete_token(secret)
        trial.forget(wall)
        trial.meet(gone)

        async def is_not_told() -> str | None:
            return None if len(gone.met) >= 4 else f"{len(gone.met)} of 4 watches were told"

        await until("all watches begin anew", is_not_told)
        trial.faults = len(gone.met)
        await trial.finish()


@case("watches cut")
async def watches_cut(rig: Rig) -> None:
    async def cut(trial: Trial) -> int:
        return trial.proxy.cut_streams()

    await work_with(rig, "watches cut", cut)


@case("watches end with 410")
async def watches_end_with_410(rig: Rig) -> None:
    async def end(trial: Trial) -> int:
        return await trial.proxy.end_streams(error_object(410))

    await work_with(rig, "watches end with 410", end)


@case("watches end with 500")
async def watches_end_with_500(rig: Rig) -> None:
    """The operator ends, and is started again."""

    async def end(trial: Trial) -> int:
        return await trial.proxy.end_streams(error_object(500))

    await work_with(rig, "watches end with 500", end)


@case("watches lag")
async def watches_lag(rig: Rig) -> None:
    async def lag(trial: Trial) -> int:
        trial.proxy.lag = trial.random.uniform(0, 2)
        return 1

    await work_with(rig, "watches lag", lag)


async def work_with(rig: Rig, name: str, fault: Callable[[Trial], Awaitable[int]]) -> None:
    """Have the fault happen again and again."""
    async with rig.trial(name, most=12) as trial:
        async with trial.users(pause=0.4):
            for _ in range(rig.form.rounds(short=10, long=100)):
                await asyncio.sleep(trial.random.uniform(0, 1))
                trial.faults += await fault(trial)
        trial.proxy.lag = 0
        await trial.finish()
