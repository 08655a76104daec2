"""Two operators at once: whoever does not lead writes nothing, whatever it believes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.faults.support.case import case
from tests.faults.support.cluster import until
from tests.faults.support.operators import Operator
from tests.faults.support.trial import Rig, Trial
from tests.faults.support.weather import Wall
from tests.support.api_proxy import Call

LEASE_SECONDS = 3


def takes_lease(call: Call) -> bool:
    return "/leases" in call.path and call.method in {"POST", "PUT"} and call.status in {200, 201}


def calls(trial: Trial) -> list[tuple[Operator, Call]]:
    """What all operators have asked for, as it came."""
    every = [(one, call) for one in trial.operators for call in list(one.proxy.calls)]
    return sorted(every, key=lambda pair: pair[1].at)


def leader(trial: Trial) -> Operator | None:
    """Who has written the lease last, unless that was another life."""
    for one, call in reversed(calls(trial)):
        if takes_lease(call):
            return one if call.at > one.started_at else None
    return None


def strangers_writes(trial: Trial) -> list[str]:
    """Writes of an operator after another one had taken the lease."""
    leads: Operator | None = None
    found: list[str] = []
    for one, call in calls(trial):
        if takes_lease(call):
            leads = one
        elif call.is_write and one is not leads:
            found.append(f"{call.method} {call.path}")
    return found


async def until_leads(trial: Trial, operator: Operator | None = None) -> Operator:
    """Wait until an operator, or this one, leads and has written something."""

    async def does_not() -> str | None:
        leads = leader(trial)
        if leads is None or operator not in {None, leads}:
            return "another one leads" if leads else "nobody leads"
        if not leads.is_up:
            # On a slow machine its lease can run out by itself.
            return "it has ended and stands again soon"
        return None if leads.proxy.writes else "it leads and writes nothing"

    await until("one leads", does_not)
    leads = leader(trial)
    assert leads is not None
    return leads


async def hand_over(
    rig: Rig,
    name: str,
    *,
    cut_off: Callable[[Operator], None],
    let_back: Callable[[Operator], Awaitable[None]],
) -> None:
    """Cut the leader off, again and again, and let it back once another one leads."""
    async with rig.trial(name, operators=2, lease_seconds=LEASE_SECONDS, most=12) as trial:
        async with trial.users(pause=0.3):
            for _ in range(rig.form.rounds(short=2, long=20)):
                former = await until_leads(trial)
                (other,) = [one for one in trial.operators if one is not former]
                cut_off(former)
                await until_leads(trial, other)
                await asyncio.sleep(trial.random.uniform(0, 1))
                await let_back(former)
                trial.faults += 1
                # It finds out, ends, and stands again.
                await asyncio.sleep(trial.random.uniform(1, 2))
        await trial.finish()
        assert strangers_writes(trial) == []


@case("leader paused")
async def leader_paused(rig: Rig) -> None:
    async def let_back(leader: Operator) -> None:
        leader.resume()

    await hand_over(rig, "leader paused", cut_off=Operator.pause, let_back=let_back)


@case("leader cut off")
async def leader_cut_off(rig: Rig) -> None:
    def cut_off(leader: Operator) -> None:
        leader.proxy.faults.append(Wall())
        leader.proxy.cut_streams()

    async def let_back(leader: Operator) -> None:
        leader.proxy.faults.clear()

    await hand_over(rig, "leader cut off", cut_off=cut_off, let_back=let_back)
