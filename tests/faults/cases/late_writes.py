"""Writes that are carried out when nobody waits for them any more.

Names of what is made are derived, and every change says which object or version it means: the API
server itself refuses what others have done meanwhile.
"""

from __future__ import annotations

import asyncio
from random import Random

from tests.faults.cases.two_operators import hand_over
from tests.faults.support.case import case
from tests.faults.support.operators import Operator
from tests.faults.support.trial import Rig
from tests.faults.support.weather import Late, Wall


@case("writes of a former life")
async def writes_of_a_former_life(rig: Rig) -> None:
    async with rig.trial("writes of a former life", most=12) as trial:
        async with trial.users(pause=0.2):
            for _ in range(rig.form.rounds(short=4, long=30)):
                await trial.operator.until_up()
                late = Late(trial.random, trial.proxy)
                trial.proxy.faults.append(late)
                await asyncio.sleep(trial.random.uniform(1, 2))
                trial.operator.kill()
                trial.proxy.faults.remove(late)
                await asyncio.sleep(trial.random.uniform(0.5, 3))
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
