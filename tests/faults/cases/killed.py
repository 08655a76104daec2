"""The operator may be killed at any instruction: nothing is lost, made twice, or left behind."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import product
from typing import Literal

from tests.faults.cases.two_operators import LEASE_SECONDS, strangers_writes, until_leads
from tests.faults.support.case import case
from tests.faults.support.cluster import MERGE, RefusedError, until
from tests.faults.support.points import (
    AT_START,
    LEASE_POINTS,
    POINTS,
    deletes_by_force,
    makes_signing_key,
)
from tests.faults.support.trial import Rig, Trial
from tests.faults.support.weather import LostAnswer
from tests.support.api_proxy import Trap

_CREATED = 201


@case("killed at every point", is_slow=True)
async def killed_at_every_point(rig: Rig) -> None:
    points = list(product(POINTS, ("before", "after"))) * rig.form.rounds(short=1, long=5)
    async with rig.trial("killed at every point") as trial:
        trial.random.shuffle(points)
        async with trial.users():
            for point, when in points:
                await kill_at(trial, point, when)
        await trial.finish()


@case("killed at the forced end of a pod", is_slow=True)
async def killed_at_the_forced_end(rig: Rig) -> None:
    """A node that is lost never says that its pod has ended: that is not waited for for ever."""
    async with rig.trial("killed at the forced end of a pod") as trial:
        users = trial.workload
        name = await users.create()
        await users.settle()
        (instance,) = await rig.cluster.items(users.instances)
        status = instance["status"]
        rig.node.unreachable.add(status["podUID"])
        traps = [Trap(when, deletes_by_force, trial.operator.kill) for when in ("before", "after")]
        trial.proxy.faults += traps
        await users.delete(name)
        # Its own grace would be waited for first.
        path = f"{users.pods}/{status['podName']}"
        await users.delete_by_hand(path, status["podUID"], gracePeriodSeconds=1)

        async def is_not_forced() -> str | None:
            return None if all(trap.fired for trap in traps) else "it is not"

        await until("its end is forced, twice", is_not_forced)
        await trial.operator.until_up()
        await trial.finish()


@case("killed at the lease", is_slow=True)
async def killed_at_the_lease(rig: Rig) -> None:
    async with rig.trial(
        "killed at the lease", operators=2, lease_seconds=LEASE_SECONDS, most=12
    ) as trial:
        points = list(product(LEASE_POINTS, ("before", "after")))
        points *= rig.form.rounds(short=1, long=5)
        trial.random.shuffle(points)
        async with trial.users(pause=0.3):
            for point, when in points:
                await kill_at_lease(trial, point, when)
        await trial.finish()
        assert strangers_writes(trial) == []


async def kill_at_lease(trial: Trial, point: str, when: Literal["before", "after"]) -> None:
    """Kill the operator that does something with the lease, and have one do it."""
    leads = await until_leads(trial)
    traps = {one: Trap(when, LEASE_POINTS[point], one.kill) for one in trial.operators}
    for one, trap in traps.items():
        one.proxy.faults.append(trap)
    if point == "the lease is taken":
        leads.kill()
    elif point == "the lease is given back":
        leads.end()

    async def has_not_fired() -> str | None:
        return None if any(trap.fired for trap in traps.values()) else "it does not happen"

    await until(f"killed {when} {point}", has_not_fired)
    for one, trap in traps.items():
        one.proxy.faults.remove(trap)


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


async def create_a_pod_that_nobody_tells_of(trial: Trial) -> None:
    """Have the answer to a creation lost while the watches lag, until it is tried again."""
    creates = POINTS["a pod is created"]
    lost = LostAnswer(trial.random, 1, lambda call: creates(call) and call.status == _CREATED)
    trial.proxy.faults.append(lost)
    trial.proxy.lag = 1
    await trial.workload.create()
    await asyncio.sleep(2)
    trial.proxy.lag = 0
    trial.proxy.faults.remove(lost)


async def change_pods_that_are_to_be_claimed(trial: Trial) -> None:
    """Change warm pods again and again, while the watches lag."""
    trial.proxy.lag = 0.5
    await trial.workload.claim(wait=True)
    for number in range(10):
        for pod in await trial.workload.warm_pods():
            path = f"{trial.workload.pods}/{pod['metadata']['name']}"
            note = {"metadata": {"annotations": {"note": str(number)}}}
            with contextlib.suppress(RefusedError):
                await trial.rig.cluster.call("PATCH", path, note, MERGE)
        await asyncio.sleep(0.15)
    trial.proxy.lag = 0


_HINDRANCES = {
    "a pod that exists already is read": create_a_pod_that_nobody_tells_of,
    "a warm pod that was changed is read": change_pods_that_are_to_be_claimed,
}


async def provoke(trial: Trial, point: str) -> None:
    users = trial.workload
    hinder = _HINDRANCES.get(point)
    if hinder is not None:
        await hinder(trial)
        return
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
