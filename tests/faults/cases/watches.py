"""Watches that end, begin anew, or tell of things late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.faults.support.case import case
from tests.faults.support.cluster import until
from tests.faults.support.seen import SECRETS
from tests.faults.support.trial import Rig, Trial
from tests.faults.support.weather import Gone, Wall, error_object
from training_sandbox_operator.model.names import INCARNATION_ANNOTATION


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


@case("ends told late")
async def ends_told_late(rig: Rig) -> None:
    """Instances are deleted while their servers start again, and no watch tells of it for a while.

    Only that of Secrets goes on: of each that is written it tells that it was collected.
    """
    async with rig.trial("ends told late") as trial:
        users = trial.workload
        await until_collected(trial, await users.create())
        names = [await users.create() for _ in range(3)]
        await users.settle()
        is_over = rig.node.delays[trial.namespace] = asyncio.Event()
        for pod in await rig.cluster.items(users.pods):
            rig.node.restart(pod)
        await until("tokens of servers that start are written", lambda: what_is_not_again(trial))
        wall = Wall(lambda call: call.is_watch and not call.path.endswith(SECRETS))
        trial.meet(wall)
        trial.proxy.cut_streams()
        for name in names:
            await users.delete(name)
        trial.faults = len(names)
        before = len(trial.proxy.calls)
        await asyncio.sleep(4)
        written = [call for call in trial.proxy.calls[before:] if call.path.endswith(SECRETS)]
        assert [call for call in written if call.method == "POST"], "no end was told late"
        is_over.set()
        trial.forget(wall)
        await trial.finish()


async def what_is_not_again(trial: Trial) -> str | None:
    """Return what is not so yet: all Secrets are of servers that were started again."""
    secrets = await trial.rig.cluster.items(trial.workload.secrets)
    incarnations = [one["metadata"]["annotations"][INCARNATION_ANNOTATION] for one in secrets]
    former = [one for one in incarnations if one.endswith("-0")]
    return f"of {len(secrets)} these are of former servers: {former}" if former else None


async def until_collected(trial: Trial, name: str) -> None:
    """Delete an instance, and wait for its Secret's end: the collector starts late."""
    users = trial.workload
    await users.settle()
    await users.delete(name)

    async def is_there() -> str | None:
        return "its Secret is there" if await trial.rig.cluster.items(users.secrets) else None

    await until(f"{name} is collected", is_there)


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
