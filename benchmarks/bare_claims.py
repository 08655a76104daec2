"""What the control plane itself can take: the writes of claims, with nothing decided between them.

Four writes make a claim: the instance, the pod, the token's Secret, the status. How many of them
this machine's API server takes a second bounds every operator's claims, whatever it is made of.
"""

import asyncio
import copy
import time
from collections.abc import Iterable
from typing import Any

from benchmarks.control_plane import Api
from benchmarks.figures import BenchmarkError, Figures
from benchmarks.operator_measures import claim_latencies, fill_pool, instance
from benchmarks.operator_rig import INSTANCES, PODS, SECRETS, Rig
from training_sandbox_operator.decisions.pod_spec import build_claim
from training_sandbox_operator.model.instance import TrainingInstance

_AT_ONCE = 32
_OF_INSTANCES = "labelSelector=trainingsandbox.dev/instance"
_JSON_PATCH = "application/json-patch+json"

Object = dict[str, Any]


async def measure_bare_claims(rig: Rig, figures: Figures, count: int) -> None:
    """Claims a second by a caller that only writes, as fast as it is answered.

    The operator is stopped once it has made the pods, and shown what a claim writes.
    """
    api = rig.api
    await fill_pool(api, count + 1)
    await claim_latencies(api, rate=1, seconds=1, prefix="shown")
    await fill_pool(api, count)
    rig.operator.stop()
    (shown,) = (await api.call("GET", INSTANCES))["items"]
    (secret,) = (await api.call("GET", f"{SECRETS}?{_OF_INSTANCES}"))["items"]
    warm = (await api.call("GET", f"{PODS}?labelSelector=!trainingsandbox.dev/instance"))["items"]
    pods = [pod for pod in warm if "deletionTimestamp" not in pod["metadata"]]
    if len(pods) < count:
        raise BenchmarkError(f"{len(pods)} warm pods are left for {count} claims")
    await rig.until_quiet()
    writes = _Writes(api, secret, shown["status"])
    begin = time.perf_counter()
    await writes.claim_all(pods[:count])
    figures.set("claims_per_s_bare", count / (time.perf_counter() - begin))


class _Writes:
    def __init__(self, api: Api, secret: Object, status: Object) -> None:
        self._api = api
        self._status = status
        self._secret = {key: secret[key] for key in ("data", "type", "immutable")}
        self._secret["metadata"] = {
            key: secret["metadata"][key] for key in ("labels", "ownerReferences")
        }

    async def claim_all(self, pods: Iterable[Object]) -> None:
        left = enumerate(pods)

        async def claim_some() -> None:
            for number, pod in left:
                await self._claim(f"bare-{number}", pod["metadata"])

        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(claim_some())

    async def _claim(self, name: str, pod: Object) -> None:
        created = await self._api.call("POST", INSTANCES, instance(name, poolRef={"name": "warm"}))
        claimant = TrainingInstance.from_api(created)
        claim = build_claim(claimant, int(pod["resourceVersion"]))
        await self._api.call("PATCH", f"{PODS}/{pod['name']}", claim, _JSON_PATCH)
        secret = copy.deepcopy(self._secret)
        secret["metadata"]["name"] = f"{name}-token"
        secret["metadata"]["ownerReferences"][0].update(name=name, uid=claimant.uid)
        await self._api.call("POST", SECRETS, secret)
        status = [{"op": "add", "path": "/status", "value": self._status}]
        await self._api.call("PATCH", f"{INSTANCES}/{name}/status", status, _JSON_PATCH)
