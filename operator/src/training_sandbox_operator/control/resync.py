"""The LIST that the cache is built from, and compared with ever after.

A watch that had to begin anew does not tell of what was deleted meanwhile: the list does.
"""

import asyncio
import logging
import random

from training_sandbox_operator.cluster.errors import ApiError
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.signing_key import SigningKey
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.token_secret import TokenSecret

_log = logging.getLogger(__name__)

_PERIOD_SECONDS = 60.0
_JITTER = 0.1


class Resync:
    """Lists everything and makes the cache agree with it.

    Args:
        api: the API server.
        cache: is made to agree.
        signing_key: without one no Secrets are listed.
        namespaces: what to list; None stands for all of them.
    """

    def __init__(
        self,
        api: KubernetesApi,
        cache: Cache,
        signing_key: SigningKey,
        namespaces: tuple[str, ...] | None,
    ) -> None:
        self._signing_key = signing_key
        self._api = api
        self._cache = cache
        self._namespaces = namespaces

    async def once(self) -> None:
        """Make the cache agree with the cluster.

        The instances come first: a pod that a listed instance's status names was there before, so
        when the list of pods does not have it, it is gone.

        Raises:
            ApiError: a list cannot be had.
        """
        for namespace in self._namespaces or (None,):
            await self._compare_pools(namespace)
            await self._compare_instances(namespace)
            await self._compare_pods(namespace)
            if self._signing_key.public_key is not None:
                await self._compare_secrets(namespace)

    async def run(self) -> None:
        """Do it about once a minute, for ever; a failure is made good by the next time."""
        while True:
            spread = random.uniform(-_JITTER, _JITTER)  # noqa: S311 — not a secret
            await asyncio.sleep(_PERIOD_SECONDS * (1 + spread))
            try:
                await self.once()
            except ApiError as error:
                _log.warning("the cluster was not listed: %s", error)

    async def _compare_pools(self, namespace: str | None) -> None:
        found: set[str] = set()
        as_of = 0
        async for page in self._api.list_pools(namespace):
            as_of = page.resource_version
            for raw in page.items:
                pool = TrainingPool.from_api(raw)
                found.add(pool.uid)
                self._cache.pools.store_pool(pool)
        for pool in list(self._cache.pools.pools):
            is_elsewhere = namespace is not None and pool.key.namespace != namespace
            is_newer = pool.resource_version > as_of
            if not is_elsewhere and not is_newer and pool.uid not in found:
                self._cache.pools.remove_pool(pool.key, pool.uid)

    async def _compare_instances(self, namespace: str | None) -> None:
        found: set[str] = set()
        as_of = 0
        async for page in self._api.list_instances(namespace):
            as_of = page.resource_version
            for raw in page.items:
                instance = TrainingInstance.from_api(raw)
                found.add(instance.uid)
                self._cache.store_instance(instance)
        for instance in list(self._cache.instances):
            is_elsewhere = namespace is not None and instance.key.namespace != namespace
            is_newer = instance.resource_version > as_of
            if not is_elsewhere and not is_newer and instance.uid not in found:
                self._cache.remove_instance(instance.key, instance.uid)

    async def _compare_pods(self, namespace: str | None) -> None:
        found: set[str] = set()
        as_of = 0
        async for page in self._api.list_pods(namespace):
            as_of = page.resource_version
            for raw in page.items:
                pod = Pod.from_api(raw)
                found.add(pod.uid)
                self._cache.store_pod(pod)
        for pod in list(self._cache.pods):
            is_elsewhere = namespace is not None and pod.key.namespace != namespace
            is_newer = pod.resource_version > as_of
            if not is_elsewhere and not is_newer and pod.uid not in found:
                self._cache.remove_pod(pod.key, pod.uid)

    async def _compare_secrets(self, namespace: str | None) -> None:
        """Their metadata alone: what a Secret holds never comes here."""
        found: set[str] = set()
        as_of = 0
        async for page in self._api.list_secrets(namespace):
            as_of = page.resource_version
            for raw in page.items:
                secret = TokenSecret.from_api(raw)
                found.add(secret.uid)
                self._cache.store_secret(secret)
        for secret in list(self._cache.secrets):
            is_elsewhere = namespace is not None and secret.key.namespace != namespace
            is_newer = secret.resource_version > as_of
            if not is_elsewhere and not is_newer and secret.uid not in found:
                self._cache.remove_secret(secret.key, secret.uid)
