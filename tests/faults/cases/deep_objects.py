"""What a user nests deeper than anybody would."""

from __future__ import annotations

import json

from tests.faults.support.case import case
from tests.faults.support.cluster import MERGE, until
from tests.faults.support.trial import Rig
from training_sandbox_operator.cluster.json_text import allow_deep_objects

_LEVELS = 2_000


@case("deep objects")
async def deep_objects(rig: Rig) -> None:
    """It once ended the operator for all, and its next life too."""
    # The test reads them as well.
    allow_deep_objects()
    async with rig.trial("deep objects") as trial:
        users = trial.workload
        params = json.loads('{"a":' * _LEVELS + "1" + "}" * _LEVELS)
        deep = await users.create("endless-deep", taskId="t", params=params)
        trial.faults = 1
        await users.create()
        await users.claim(wait=True)
        await users.settle(but=(deep,))
        trial.operator.kill()
        await users.create()
        await users.settle(but=(deep,))
        path = f"{users.instances}/{deep}"
        await rig.cluster.call("PATCH", path, {"spec": {"ttlSeconds": 1}}, MERGE)

        async def is_not_collected() -> str | None:
            return "it is there" if await rig.cluster.get(path) else None

        await until("the deep one is collected", is_not_collected)
        assert trial.operator.exits == [], trial.operator.last_words()
        await trial.finish()
