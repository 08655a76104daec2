"""Two operators at once: whoever does not lead writes nothing, whatever it believes."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.support.cluster import until
from tests.faults.support.operators import Operator
from tests.faults.support.trial import Rig, Trial
from tests.faults.support.weather import Wall
from tests.support.api_proxy import Call

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEASE_SECONDS = 3


def takes_lease(call: Call) -> bool:
    return "/leases" in call.path and call.method in {"POST", "PUT"} and call.status in {200, 201}


def calls(trial: Trial) -> list[tuple[Operator, Call]]:
    """What all operators have asked for, as it came."""
    every = [(one, call) for one in trial.operators for call in list(one.proxy.calls)]
    return sorted(every, key=lambda pair: pair[1].at)


def leader(trial: Trial) -> Operator | None:
    """Who has written the lease last."""
    return next((one for one, call in reversed(calls(trial)) if takes_lease(call)), None)


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
        return None if leads.proxy.writes else "it leads and writes nothing"

    await until("one leads", does_not)
    leads = leader(trial)
    assert leads is not None
    return leads


async def hand_over(rig: Rig, case: str, rounds: int, *, paused: bool) -> None:
    """Cut the leader off, again and again, and let it come back once another one leads."""
    async with rig.trial(
        case,
        operators=2,
        options=(
            "--namespace",
            case.replace(" ", "-"),
            "--lease",
            f"{case.replace(' ', '-')}/leader",
            "--lease-seconds",
            str(LEASE_SECONDS),
        ),
        most=12,
    ) as trial:
        users = asyncio.create_task(trial.workload.run(3600, pause=0.3))
        for _ in range(rounds):
            former = await until_leads(trial)
            (other,) = [one for one in trial.operators if one is not former]
            if paused:
                former.pause()
            else:
                former.proxy.faults.append(Wall())
                former.proxy.cut_streams()
            await until_leads(trial, other)
            await asyncio.sleep(trial.random.uniform(0, 1))
            if paused:
                former.resume()
            former.proxy.faults.clear()
            trial.faults += 1
            # It finds out, ends, and stands again.
            await asyncio.sleep(trial.random.uniform(1, 2))
        users.cancel()
        await trial.finish()
        assert strangers_writes(trial) == []


async def test_a_leader_that_was_paused_or_cut_off_does_no_harm(rig: Rig, is_long: bool) -> None:
    rounds = 20 if is_long else 2
    async with asyncio.TaskGroup() as cases:
        cases.create_task(hand_over(rig, "leader paused", rounds, paused=True))
        cases.create_task(hand_over(rig, "leader cut off", rounds, paused=False))
