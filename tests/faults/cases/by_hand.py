"""What people do with kubectl."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.support.case import case
from tests.faults.support.cluster import MERGE, RefusedError, until
from tests.faults.support.trial import Rig, Trial
from training_sandbox_operator.model.names import MANAGED_BY_LABEL

_KEPT = {"ttlSecondsAfterFinished": 3600}


@case("pods deleted by hand")
async def delete_pods(rig: Rig) -> None:
    async with rig.trial("pods deleted by hand") as trial:
        users = trial.workload
        for _ in range(3):
            await users.create(**_KEPT)
        for _ in range(2):
            await users.claim(wait=True, **_KEPT)
        await users.settle()
        for pod in await rig.cluster.items(users.pods):
            await users.delete_pod(pod)
        trial.faults = 1
        await until_reasons(trial, {"PodDeleted"})
        await trial.conclude()


@case("pods relabelled by hand")
async def relabel_pods(rig: Rig) -> None:
    """No watch tells of them: they count as gone, are not touched, and go with their owners."""
    async with rig.trial("pods relabelled by hand") as trial:
        users, cluster = trial.workload, rig.cluster
        names = [await users.create(**_KEPT), await users.claim(wait=True, **_KEPT)]
        await users.settle()
        pods = await cluster.items(users.pods)
        warm = [pod for pod in pods if pod["metadata"]["ownerReferences"][0]["name"] not in names]
        own = [pod for pod in pods if pod not in warm]
        for pod in (*own, *warm[:2]):
            trial.history.by_hand.add(pod["metadata"]["uid"])
            edit = {"metadata": {"labels": {MANAGED_BY_LABEL: None}}}
            await cluster.call("PATCH", f"{users.pods}/{pod['metadata']['name']}", edit, MERGE)
            trial.faults += 1
        await until_reasons(trial, {"PodDeleted"})
        await users.settle(but=names)
        kept = {pod["metadata"]["uid"] for pod in await cluster.items(users.pods)}
        assert kept >= {pod["metadata"]["uid"] for pod in (*own, *warm[:2])}
        await trial.conclude()


async def until_reasons(trial: Trial, expected: set[str]) -> None:
    """Wait until these are the reasons that all instances tell."""

    async def are_not_told_of() -> str | None:
        listed = await trial.rig.cluster.items(trial.workload.instances)
        reasons = {one["status"]["conditions"][0]["reason"] for one in listed}
        return None if reasons == expected else f"{reasons}"

    await until("the instances tell of it", are_not_told_of)


@case("namespace deleted")
async def delete_namespace(rig: Rig) -> None:
    """It goes, and the operator goes on serving the other one."""
    other = "namespace-kept"
    await rig.cluster.call("POST", "api/v1/namespaces", {"metadata": {"name": other}})
    names = ("--namespace", "namespace-deleted", "--namespace", other)
    async with rig.trial("namespace deleted", options=names) as trial:
        async with trial.users():
            await asyncio.sleep(2)
            path = f"api/v1/namespaces/{trial.namespace}"
            await rig.cluster.delete(path)
            trial.faults = 1

            async def is_there() -> str | None:
                return "it is there" if await rig.cluster.get(path) else None

            await until("the namespace is gone", is_there)
        trial.history.by_hand.update(seen.uid for seen in trial.history.seen)
        await trial.conclude()
        assert trial.operator.exits == [], trial.operator.last_words()
        await serves(trial, other)


async def serves(trial: Trial, namespace: str) -> None:
    """See that the operator works in this namespace."""
    cluster = trial.rig.cluster
    path = trial.workload.instances.replace(trial.namespace, namespace)
    body = {
        "apiVersion": "trainingsandbox.dev/v1alpha1",
        "kind": "TrainingInstance",
        "metadata": {"name": "witness"},
        "spec": {"envType": "faults"},
    }
    await cluster.call("POST", path, body)

    async def is_not_ready() -> str | None:
        one = await cluster.get(f"{path}/witness")
        return None if one and one.get("status", {}).get("phase") == "Ready" else f"{one}"

    await until("the witness is Ready", is_not_ready)
    await cluster.delete(f"{path}/witness")


@case("status edited by hand")
async def edit_status(rig: Rig) -> None:
    """What the operator can see of the pod is put right; what it was told of another is not."""
    async with rig.trial("status edited by hand") as trial:
        users, cluster = trial.workload, rig.cluster
        names = [await users.create(), await users.claim(wait=True)]
        await users.settle()
        edits = [
            {"phase": "Pending", "conditions": []},
            {"endpoint": "http://elsewhere:1", "incarnation": "another"},
            None,
        ]
        for edit in edits:
            for name in names:
                path = f"{users.instances}/{name}"
                one = await cluster.call("GET", path)
                trial.history.edited.add(one["metadata"]["uid"])
                await cluster.call("PATCH", f"{path}/status", {"status": edit}, MERGE)
                trial.faults += 1
            await users.settle()
        for name in names:
            one = await cluster.call("GET", f"{users.instances}/{name}")
            assert one["status"]["incarnation"].startswith(one["status"]["podUID"])
            assert one["status"]["endpoint"].startswith("http://127.99.")
        await trial.finish()


@case("spec edited by hand")
async def edit_spec(rig: Rig) -> None:
    """What may not change is refused; a life that is made shorter or longer is heeded."""
    async with rig.trial("spec edited by hand") as trial:
        users, cluster = trial.workload, rig.cluster
        kept = await users.create(ttlSeconds=8)
        brief = await users.create()
        for edit in ({"envType": "other"}, {"taskId": "t"}, {"poolRef": {"name": "warm"}}):
            with pytest.raises(RefusedError, match="immutable"):
                await cluster.call("PATCH", f"{users.instances}/{kept}", {"spec": edit}, MERGE)
            trial.faults += 1
        for name, seconds in ((kept, 3600), (brief, 1)):
            edit = {"spec": {"ttlSeconds": seconds}}
            await cluster.call("PATCH", f"{users.instances}/{name}", edit, MERGE)
        created_at = (await cluster.call("GET", f"{users.instances}/{kept}"))["metadata"]
        first_end = datetime.fromisoformat(created_at["creationTimestamp"]) + timedelta(seconds=8)
        await asyncio.sleep((first_end - datetime.now(UTC)).total_seconds() + 1)
        await users.settle()
        assert [one["metadata"]["name"] for one in await cluster.items(users.instances)] == [kept]
        await trial.finish()
