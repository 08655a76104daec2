"""What a namespace's users do: pools, claims, tasks, deletions, at random, from a seed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from itertools import count
from random import Random
from typing import Any

import aiohttp

from tests.faults.support.cluster import GROUP, MERGE, Cluster, RefusedError, until
from tests.faults.support.history import History
from tests.faults.support.node import Node
from tests.faults.support.seen import INSTANCES, PODS, POOLS, SECRETS, Object
from tests.faults.support.unsettled import tokenless, unfilled, unplayed
from training_sandbox_operator.model.names import (
    INCARNATION_ANNOTATION,
    MANAGED_BY_LABEL,
    token_secret_name,
)

_POOL = "warm"
_LASTING = {"ttlSeconds": 3600, "idleTimeoutSeconds": 3600, "ttlSecondsAfterFinished": 2}
# Of these the first is nothing to the operator.
TOKEN_EDITS: tuple[Object, ...] = (
    {"labels": {"note": "mine"}},
    {"labels": {MANAGED_BY_LABEL: None}},
    {"annotations": {INCARNATION_ANNOTATION: "another"}},
)
_NO_ANSWER = (aiohttp.ClientError, TimeoutError, OSError)


class Workload:
    """Users of one namespace.

    Args:
        cluster: the API server.
        node: where the pods run.
        history: told of what is done by hand.
        namespace: its name.
        random: decides everything.
        most: how many instances there are at a time.

    Attributes:
        spared: instances that nothing is done to by hand.
    """

    def __init__(
        self,
        cluster: Cluster,
        node: Node,
        history: History,
        *,
        namespace: str,
        random: Random,
        most: int,
    ) -> None:
        self._cluster = cluster
        self._node = node
        self._history = history
        self._random = random
        self._most = most
        self._numbers = count()
        self.spared: set[str] = set()
        self.instances = f"{GROUP}/namespaces/{namespace}/{INSTANCES}"
        self.pools = f"{GROUP}/namespaces/{namespace}/{POOLS}"
        self.pods = f"api/v1/namespaces/{namespace}/{PODS}"
        self.secrets = f"api/v1/namespaces/{namespace}/{SECRETS}"

    async def begin(self) -> None:
        """Make the pool."""
        body = {
            "apiVersion": "trainingsandbox.dev/v1alpha1",
            "kind": "TrainingPool",
            "metadata": {"name": _POOL},
            "spec": {"envType": "faults", "replicas": 4},
        }
        await self._cluster.call("POST", self.pools, body)

    async def create(self, name: str | None = None, **spec: Any) -> str:
        """Create an instance that lasts, unless the spec says otherwise; returns its name."""
        name = name or f"i{next(self._numbers)}"
        body = {
            "apiVersion": "trainingsandbox.dev/v1alpha1",
            "kind": "TrainingInstance",
            "metadata": {"name": name},
            "spec": {"envType": "faults", **_LASTING, **spec},
        }
        await self._cluster.call("POST", self.instances, body)
        return name

    async def claim(self, *, wait: bool, name: str | None = None, **spec: Any) -> str:
        """Create an instance that takes its pod from the pool."""
        when_empty = "Wait" if wait else "ColdStart"
        return await self.create(name, poolRef={"name": _POOL, "whenEmpty": when_empty}, **spec)

    async def delete(self, name: str) -> None:
        """Delete an instance by hand."""
        one = await self._cluster.get(f"{self.instances}/{name}")
        if one is not None:
            await self._delete(one)

    async def delete_by_hand(self, path: str, uid: str, **options: Any) -> None:
        """Delete this very object: the operator may have put another in its place."""
        self._history.by_hand.add(uid)
        await self._cluster.delete(path, preconditions={"uid": uid}, **options)

    async def delete_pod_of(self, name: str) -> None:
        """Delete the pod of an instance by hand, and wait until it is gone."""
        one = await self._cluster.call("GET", f"{self.instances}/{name}")
        path = f"{self.pods}/{one['status']['podName']}"
        await self.delete_by_hand(path, one["status"]["podUID"])

        async def is_there() -> str | None:
            return "it is there" if await self._cluster.get(path) else None

        await until("the pod is gone", is_there)

    async def run(self, seconds: float, pause: float = 0.12) -> None:
        """Do something at random again and again, for so long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            await self.step()
            await asyncio.sleep(self._random.uniform(0, 2 * pause))

    async def step(self) -> None:
        """Do one thing; what the API server does not answer is left."""
        actions: list[tuple[int, Callable[[], Awaitable[object]]]] = [
            (4, lambda: self.claim(wait=True, **self._times())),
            (3, lambda: self.claim(wait=False, **self._times())),
            (3, lambda: self.claim(wait=True, taskId="t", **self._times())),
            (3, lambda: self.create(**self._times())),
            (2, lambda: self.create(taskId="t", **self._times())),
            (5, self._delete_some),
            (1, self._delete_and_create_again),
            (3, self._use_a_server),
            (1, self._scale),
            (1, self._have_the_pool_follow_demand),
            (1, self.change_image),
            (1, self.fail_a_server),
            (1, self._delete_a_pod),
            (1, self.restart_a_server),
            (1, self._delete_a_token),
            (1, self._edit_a_token),
        ]
        weights, choices = zip(*actions, strict=True)
        with contextlib.suppress(*_NO_ANSWER, RefusedError):
            (choice,) = self._random.choices(choices, weights)
            await choice()
            listed = await self._unspared()
            if len(listed) > self._most:
                await self._delete(self._random.choice(listed))

    async def settle(self, but: Collection[str] = ()) -> None:
        """Wait until everything, but for some instances, is as it should be, and stays so."""

        async def what_is_unsettled() -> str | None:
            return await self._what_is_unsettled(but)

        await until("all has settled", what_is_unsettled)

    async def end(self) -> None:
        """Delete everything, and wait until it is gone."""
        for path in (self.instances, self.pools):
            for one in await self._cluster.items(path):
                uid, name = one["metadata"]["uid"], one["metadata"]["name"]
                await self.delete_by_hand(f"{path}/{name}", uid)

        async def what_is_left() -> str | None:
            left = [
                one["metadata"]["name"]
                for path in (self.instances, self.pools, self.pods, self.secrets)
                for one in await self._cluster.items(path)
            ]
            return f"still there: {left}" if left else None

        await until("all is gone", what_is_left)

    def _times(self) -> dict[str, int]:
        """Some live long, some end by their TTL, some when they are idle."""
        return self._random.choice(
            [
                {},
                {"ttlSeconds": self._random.randint(2, 5)},
                {"idleTimeoutSeconds": self._random.randint(1, 3)},
                {"ttlSecondsAfterFinished": 0},
            ]
        )

    async def _delete(self, one: Object) -> None:
        uid, name = one["metadata"]["uid"], one["metadata"]["name"]
        await self.delete_by_hand(f"{self.instances}/{name}", uid, propagationPolicy="Background")

    async def _unspared(self) -> list[Object]:
        listed = await self._cluster.items(self.instances)
        return [one for one in listed if one["metadata"]["name"] not in self.spared]

    async def _delete_some(self) -> None:
        listed = await self._unspared()
        for one in self._random.sample(listed, min(2, len(listed))):
            await self._delete(one)

    async def _delete_and_create_again(self) -> None:
        listed = await self._unspared()
        if listed:
            one = self._random.choice(listed)
            await self._delete(one)
            await self._cluster.call("POST", self.instances, {**one, "metadata": _name(one)})

    async def scale(self, replicas: int) -> None:
        """Give the pool another size."""
        await self._change_pool(replicas=replicas, minReplicas=None, maxReplicas=None)

    async def until_filled(self, replicas: int) -> None:
        """Wait until the pool has so many pods, while there are no others."""

        async def is_not() -> str | None:
            pods = len(await self._cluster.items(self.pods))
            return None if pods == replicas else f"it has {pods}"

        await until(f"the pool has {replicas} pods", is_not)

    async def _scale(self) -> None:
        await self.scale(self._random.randint(0, 6))

    async def _have_the_pool_follow_demand(self) -> None:
        fewest = self._random.randint(0, 2)
        await self._change_pool(
            replicas=None, minReplicas=fewest, maxReplicas=self._random.randint(fewest, 6)
        )

    async def change_image(self) -> None:
        await self._change_pool(image=self._random.choice(["a:1", "b:2"]))

    async def _change_pool(self, **spec: Any) -> None:
        await self._cluster.call("PATCH", f"{self.pools}/{_POOL}", {"spec": spec}, MERGE)

    async def _unspared_pods(self) -> list[Object]:
        return [
            pod
            for pod in await self._cluster.items(self.pods)
            if "deletionTimestamp" not in pod["metadata"]
            and pod["metadata"]["ownerReferences"][0]["name"] not in self.spared
        ]

    async def warm_pods(self) -> list[Object]:
        """The pods of the pool."""
        return [
            pod
            for pod in await self._cluster.items(self.pods)
            if pod["metadata"]["ownerReferences"][0]["kind"] == "TrainingPool"
        ]

    async def _use_a_server(self) -> None:
        servers = [self._node.server(pod["metadata"]["uid"]) for pod in await self._unspared_pods()]
        used = [server for server in servers if server is not None and server.is_up]
        if used:
            self._random.choice(used).use()

    async def fail_a_server(self) -> None:
        """Only of a bound task that was started cold: its server is not started again."""
        pods = await self._unspared_pods()
        pods = [pod for pod in pods if pod["spec"]["restartPolicy"] == "Never"]
        if pods:
            await self._node.fail(self._random.choice(pods))

    async def restart_a_server(self) -> None:
        """Not of a bound task that was started cold: see ``fail_a_server``."""
        pods = await self._unspared_pods()
        pods = [pod for pod in pods if pod["spec"]["restartPolicy"] == "Always"]
        if pods:
            self._node.restart(self._random.choice(pods))

    async def _delete_a_pod(self) -> None:
        pods = await self._unspared_pods()
        if pods:
            await self.delete_pod(self._random.choice(pods))

    async def delete_pod(self, pod: Object, **options: Any) -> None:
        """Delete a pod by hand."""
        uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
        await self.delete_by_hand(f"{self.pods}/{name}", uid, **options)

    async def _unspared_tokens(self) -> list[Object]:
        secrets = await self._cluster.items(self.secrets)
        spared = {token_secret_name(name) for name in self.spared}
        return [secret for secret in secrets if secret["metadata"]["name"] not in spared]

    async def _delete_a_token(self) -> None:
        secrets = await self._unspared_tokens()
        if secrets:
            await self.delete_token(self._random.choice(secrets))

    async def delete_token(self, secret: Object) -> None:
        """Delete the Secret of a token by hand."""
        uid, name = secret["metadata"]["uid"], secret["metadata"]["name"]
        await self.delete_by_hand(f"{self.secrets}/{name}", uid)

    async def _edit_a_token(self) -> None:
        secrets = await self._unspared_tokens()
        if secrets:
            await self.edit_token(self._random.choice(secrets), self._random.choice(TOKEN_EDITS))

    async def edit_token(self, secret: Object, metadata: Object) -> None:
        """Edit the metadata of a Secret by hand: what it holds is immutable."""
        uid, name = secret["metadata"]["uid"], secret["metadata"]["name"]
        self._history.by_hand.add(uid)
        body = {"metadata": {**metadata, "uid": uid}}
        await self._cluster.call("PATCH", f"{self.secrets}/{name}", body, MERGE)

    async def _what_is_unsettled(self, but: Collection[str]) -> str | None:
        try:
            await self.scale(4)
            pools = await self._cluster.items(self.pools)
            instances = await self._cluster.items(self.instances)
            pods = await self._cluster.items(self.pods)
            secrets = await self._cluster.items(self.secrets)
        except (*_NO_ANSWER, RefusedError) as error:
            return f"the API server does not answer: {error!r}"
        pods = [
            pod
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            and MANAGED_BY_LABEL in pod["metadata"]["labels"]
        ]
        alive = {
            pod["metadata"]["uid"]: pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods
        }
        tokens = {secret["metadata"]["name"]: secret for secret in secrets}
        for one in instances:
            name = one["metadata"]["name"]
            complaint = unplayed(one, alive, self._node) or tokenless(one, tokens, self._node)
            if complaint is not None and name not in but:
                return f"{name}: {complaint}: {one}"
        complaints = (unfilled(pool, pods) for pool in pools)
        return next((complaint for complaint in complaints if complaint is not None), None)


def _name(one: Object) -> Object:
    return {"name": one["metadata"]["name"]}
