"""An API server that is away for a while, and has forgotten the history when it is back."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.support.trial import Rig

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_stopped_and_its_history_compacted(rig: Rig, is_long: bool) -> None:
    plane, http = rig.cluster.plane, rig.cluster.http
    async with rig.trial("api server stopped") as trial:
        await trial.workload.run(3)
        users = asyncio.create_task(trial.workload.run(3600))
        plane.stop_api_server()
        await asyncio.sleep(60 if is_long else 10)
        # Before the watches come back: they will be told that it is gone.
        body = {"key": "AA==", "range_end": "AA==", "limit": 1}
        async with http.post(f"{plane.etcd_url}/v3/kv/range", json=body) as answer:
            revision = (await answer.json())["header"]["revision"]
        compact = {"revision": revision, "physical": True}
        async with http.post(f"{plane.etcd_url}/v3/kv/compaction", json=compact) as answer:
            assert answer.ok, await answer.text()
        await plane.start_api_server(http)
        await asyncio.sleep(3)
        users.cancel()
        trial.faults = 1
        await trial.finish()
