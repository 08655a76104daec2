"""The operator may be killed at any instruction: nothing is lost, made twice, or left behind."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Literal

from tests.faults.support.case import case
from tests.faults.support.cluster import until
from tests.faults.support.points import AT_START, POINTS, makes_signing_key
from tests.faults.support.trial import Rig, Trial
from tests.support.api_proxy import Trap


@case("killed at every point", is_slow=True)
async def killed_at_every_point(rig: Rig) -> None:
    points = list(product(POINTS, ("before", "after"))) * rig.form.rounds(short=1, long=5)
    async with rig.trial("killed at every point") as trial:
        trial.random.shuffle(points)
        async with trial.users():
            for point, when in points:
                await kill_at(trial, point, when)
        await trial.finish()


@case("killed at the signing key")
async def killed_at_the_signing_key(rig: Rig) -> None:
    """There is one key at the end; warm pods that know another are replaced before a claim."""
    async with rig.trial("killed at the signing key") as trial:
        for when in ("before", "after"):
            trap = Trap(when, makes_signing_key, trial.operator.kill)
            trial.meet(trap)
            await rig.cluster.delete(trial.signing_key)
            trial.operator.kill()

            async def is_not_killed(trap: Trap = trap) -> str | None:
                return None if trap.fired else "it makes none"

            await until(f"killed {when} the signing key is made", is_not_killed)
            trial.forget(trap)
            await trial.operator.until_up()
        async with trial.users():
            await asyncio.sleep(3)
        await trial.finish()


@case("killed at random times", is_slow=True)
async def killed_at_random_times(rig: Rig) -> None:
    async with rig.trial("killed at random times") as trial:
        async with trial.users():
            while trial.operator.kills < rig.form.kills:
                await trial.operator.until_up()
                await until_it_has_worked(trial, trial.random.randint(0, 6))
                await asyncio.sleep(trial.random.uniform(0, 0.05))
                trial.operator.kill()
        await trial.finish()


async def until_it_has_worked(trial: Trial, writes: int) -> None:
    """Wait for so many writes of this life, or for a while in which there was less to do."""
    enough = len(trial.proxy.writes) + writes
    for _ in range(200):
        if len(trial.proxy.writes) >= enough:
            return
        await asyncio.sleep(0.01)


async def kill_at(trial: Trial, point: str, when: Literal["before", "after"]) -> None:
    """Kill the operator at its next call of this kind, and have its users make it do one."""
    trap = Trap(when, POINTS[point], trial.operator.kill)
    trial.meet(trap)
    if point in AT_START:
        trial.operator.kill()

    async def has_not_fired() -> str | None:
        if not trap.fired:
            await provoke(trial, point)
        return None if trap.fired else "it does not happen"

    await until(f"killed {when} {point}", has_not_fired)
    trial.forget(trap)


async def provoke(trial: Trial, point: str) -> None:
    users = trial.workload
    match point:
        case "a pod is created" | "a token is written":
            await users.create()
        case "a warm pod is claimed" | "a warm pod is created":
            await users.claim(wait=True)
        case "a warm pod is deleted":
            await users.change_image()
        case "a failed pod is deleted":
            await users.create(taskId="t")
            await users.fail_a_server()
        case "a token is deleted":
            await users.create()
            await users.restart_a_server()
        case "an instance is deleted":
            await users.create(ttlSeconds=1)
        case "a task is bound":
            await users.claim(wait=True, taskId="t")
        case "a server is asked":
            await users.create(idleTimeoutSeconds=1)
        case _:
            pass
