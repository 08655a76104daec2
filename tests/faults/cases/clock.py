"""A wall clock that somebody sets."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.faults.support.case import case
from tests.faults.support.operators import Command
from tests.faults.support.trial import Rig

_HOUR = 3600
_SOURCE = Path(__file__).parents[1] / "support" / "clock_step.c"


@case("clock set")
async def clock_set(rig: Rig) -> None:
    """The clock of the operator's machine is an hour ahead, then behind, also when it starts."""
    library, step = rig.folder / "clock_step.so", rig.folder / "clock_step"
    await compile_library(library)
    step.write_text("0")
    environment = {"LD_PRELOAD": str(library.resolve()), "CLOCK_STEP_FILE": str(step.resolve())}
    async with rig.trial("clock set", launcher=Command(environment)) as trial:
        users = trial.workload
        # They end in less than an hour, and in more than this case takes.
        await users.create(name="lives", ttlSeconds=1800)
        await users.create(name="idles", idleTimeoutSeconds=1800)
        await users.create(name="stays", taskId="t", ttlSecondsAfterFinished=1800)
        users.spared = {"lives", "idles", "stays"}
        for seconds in (_HOUR, -_HOUR):
            step.write_text(str(seconds))
            trial.faults += 1
            await users.run(rig.form.rounds(short=3, long=10))
            trial.operator.kill()
            await users.run(rig.form.rounds(short=4, long=10))
        await users.settle(but=("stays",))
        names = {one["metadata"]["name"] for one in await rig.cluster.items(users.instances)}
        assert names >= users.spared
        await trial.conclude()


async def compile_library(target: Path) -> None:
    compiler = os.environ.get("CC", "cc")
    process = await asyncio.create_subprocess_exec(
        compiler, "-shared", "-fPIC", "-O1", "-o", str(target), str(_SOURCE)
    )
    assert await process.wait() == 0, "the clock cannot be set without a C compiler: install gcc"
