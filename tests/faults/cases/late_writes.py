"""Writes that are carried out when another life or another leader has gone on.

Nobody but the API server can refuse them then: by names that are derived, by the object or version
that a change is of, and by the leader that a pod which is made or claimed tells of.
"""

from __future__ import annotations

import asyncio
from random import Random

from tests.faults.cases.two_operators import hand_over, until_leads
from tests.faults.support.case import case
from tests.faults.support.operators import Operator
from tests.faults.support.trial import Rig
from tests.faults.support.weather import Late, Wall

_LEASE_SECONDS = 2


@case("writes of a former life")
async def writes_of_a_former_life(rig: Rig) -> None:
    """Some of its writes, at random, and those that it was killed at."""
    name = "writes of a former life"
    async with rig.trial(name, lease_seconds=_LEASE_SECONDS, most=12) as trial:
        async with trial.users(pause=0.2):
            for _ in range(rig.form.rounds(short=4, long=30)):
                former = await until_leads(trial)
                late = Late(trial.random, former.proxy)
                former.proxy.faults.append(late)
                await asyncio.sleep(trial.random.uniform(1, 2))
                former.kill()
                former.proxy.faults.remove(late)
                await until_leads(trial)
                await asyncio.sleep(trial.random.uniform(0, 1))
                await late.deliver()
                trial.faults += len(late.met)
        await trial.finish()


@case("writes of a former leader")
async def writes_of_a_former_leader(rig: Rig) -> None:
    held: dict[Operator, Late] = {}

    def cut_off(leader: Operator) -> None:
        held[leader] = Late(Random(0), leader.proxy, share=1)
        leader.proxy.faults += [held[leader], Wall(lambda call: "/leases" in call.path)]

    async def let_back(leader: Operator) -> None:
        leader.proxy.faults.clear()
        await held.pop(leader).deliver()

    await hand_over(rig, "writes of a former leader", cut_off=cut_off, let_back=let_back)
