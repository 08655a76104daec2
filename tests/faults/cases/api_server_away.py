"""An API server that is away for a while, and has forgotten the history when it is back."""

from __future__ import annotations

import asyncio

from tests.faults.support.case import case
from tests.faults.support.trial import Rig


@case("api server stopped", is_alone=True)
async def api_server_stopped(rig: Rig) -> None:
    plane, http = rig.cluster.plane, rig.cluster.http
    async with rig.trial("api server stopped") as trial:
        async with trial.users():
            await asyncio.sleep(3)
            plane.stop_api_server()
            trial.faults += 1
            await asyncio.sleep(rig.form.rounds(short=10, long=60))
            # Before the watches come back: they are to be told that what they saw is gone.
            await compact_history(rig)
            await plane.start_api_server(http)
            await asyncio.sleep(3)
        assert [call for call in trial.proxy.calls if call.is_expired]
        await trial.finish()


async def compact_history(rig: Rig) -> None:
    """Have etcd forget all but the present."""
    etcd = f"{rig.cluster.plane.etcd_url}/v3/kv"
    async with rig.cluster.http.post(f"{etcd}/range", json={"key": "AA=="}) as answer:
        revision = (await answer.json())["header"]["revision"]
    body = {"revision": revision, "physical": True}
    async with rig.cluster.http.post(f"{etcd}/compaction", json=body) as answer:
        assert answer.ok, await answer.text()
