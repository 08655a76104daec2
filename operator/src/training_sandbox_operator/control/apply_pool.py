"""Carries out what a plan says about the warm pods of a pool, and its status."""

import logging

from training_sandbox_operator.cluster.admission import Urgency
from training_sandbox_operator.cluster.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    RejectedError,
)
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.decisions.actions import (
    CreateWarmPod,
    DeleteWarmPod,
    WritePoolStatus,
)
from training_sandbox_operator.model.names import Key
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.pool import TrainingPool
from training_sandbox_operator.model.reasons import PoolReason, Reason

_log = logging.getLogger(__name__)


class PoolApplier:
    """Carries out the actions about pools; each raises ApiError when it has to be planned again.

    Args:
        api: the API server.
        cache: where the answers to writes go.
    """

    def __init__(self, api: KubernetesApi, cache: Cache) -> None:
        self._api = api
        self._cache = cache

    async def apply(self, action: CreateWarmPod | DeleteWarmPod | WritePoolStatus) -> None:
        """Carry out one action."""
        match action:
            case CreateWarmPod():
                await self._create(action)
            case DeleteWarmPod():
                await self._delete(action)
            case WritePoolStatus():
                await self._write_status(action)

    async def _create(self, action: CreateWarmPod) -> None:
        """Create a warm pod; one of that name is looked at, and is the pool's or in the way."""
        pool, metadata = action.pool, action.manifest["metadata"]
        self._cache.pools.note_request(pool, action.number)
        try:
            raw = await self._api.create_pod(action.manifest, Urgency.WARM_UP)
            _log.info("%s: created warm pod %s", pool.key, metadata["name"])
        except AlreadyExistsError:
            raw = await self._api.get_pod(Key(pool.key.namespace, metadata["name"]))
        except RejectedError as error:
            _log.warning("%s: a warm pod was rejected: %s", pool.key, error)
            self._cache.pools.note_answer(pool, action.number)
            self._cache.pools.note_refusal(pool.key, Reason.POD_REJECTED, error.message)
            return
        pod = Pod.from_api(raw)
        self._cache.pools.note_answer(pool, action.number)
        self._cache.store_pod(pod)
        if not pod.is_labelled:
            self._cache.pools.note_obstacle(pool.key, pod.key)
        self._cache.pools.note_refusal(pool.key, None)

    async def _delete(self, action: DeleteWarmPod) -> None:
        """Delete a warm pod that nobody has claimed meanwhile."""
        pod = action.pod
        try:
            raw = await self._api.delete_pod(
                pod.key, uid=pod.uid, resource_version=pod.resource_version
            )
        except NotFoundError:
            self._cache.remove_pod(pod.key, pod.uid)
            return
        except ConflictError:
            self._cache.store_pod(Pod.from_api(await self._api.get_pod(pod.key)))
            return
        _log.info("%s: deleted warm pod %s", action.pool.key, pod.key.name)
        if action.failure is not None:
            _log.warning("%s: %s", action.pool.key, action.failure)
            self._cache.pools.note_failure(action.pool.key, PoolReason.PODS_FAIL, action.failure)
        if raw.get("kind") == "Pod":
            self._cache.store_pod(Pod.from_api(raw))

    async def _write_status(self, action: WritePoolStatus) -> None:
        """Replace the pool's status, if it is the version that was seen."""
        pool = action.pool
        self._cache.pools.note_status(pool.key)
        try:
            raw = await self._api.replace_pool_status(
                pool.key, resource_version=pool.resource_version, status=action.status
            )
        except NotFoundError:
            self._cache.pools.remove_pool(pool.key, pool.uid)
            raise
        self._cache.pools.store_pool(TrainingPool.from_api(raw))
