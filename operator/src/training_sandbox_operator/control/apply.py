"""Carries out what a plan says, and puts what comes of it into the cache.

Every write is safe to repeat: names are derived, and deletions and status writes say which object
in which version they mean.
"""

import logging
import math
import time
from collections.abc import Callable
from datetime import datetime

from training_sandbox_operator.cluster.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    RejectedError,
    UnavailableError,
)
from training_sandbox_operator.cluster.events import EventRecorder
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.control.apply_pool import PoolApplier
from training_sandbox_operator.control.apply_token import TokenApplier
from training_sandbox_operator.control.asking import Asker
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.journeys import Journeys
from training_sandbox_operator.control.pace import Pace
from training_sandbox_operator.control.signing_key import SigningKey
from training_sandbox_operator.decisions.actions import (
    Action,
    AskServer,
    BindTask,
    ClaimPod,
    CreatePod,
    CreateWarmPod,
    DeleteInstance,
    DeletePod,
    DeleteWarmPod,
    EmitEvent,
    WritePoolStatus,
    WriteStatus,
    WriteToken,
)
from training_sandbox_operator.decisions.pod_spec import build_claim
from training_sandbox_operator.metrics import Metrics
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import POD_SELECTOR
from training_sandbox_operator.model.pod import Pod
from training_sandbox_operator.model.reasons import Phase, Reason
from training_sandbox_operator.model.situation import Refusal

_log = logging.getLogger(__name__)

# One that refuses at once, by 429 or 503, has no time either.
_OF_AN_OVERLOADED_SERVER = 1.0


class Applier:
    """Carries out actions.

    Args:
        api: the API server.
        cache: where the answers to writes go.
        asker: asks servers.
        recorder: creates events.
        clock: the present time.
        metrics: told of claims.
        journeys: told of how far instances have come.
        pace: told of how long the writing of a status takes.
        signing_key: makes tokens.
    """

    def __init__(
        self,
        *,
        api: KubernetesApi,
        cache: Cache,
        asker: Asker,
        recorder: EventRecorder,
        clock: Callable[[], datetime],
        metrics: Metrics,
        journeys: Journeys,
        pace: Pace,
        signing_key: SigningKey,
    ) -> None:
        self._api = api
        self._cache = cache
        self._asker = asker
        self._recorder = recorder
        self._clock = clock
        self._metrics = metrics
        self._journeys = journeys
        self._pace = pace
        self._pools = PoolApplier(api, cache)
        self._tokens = TokenApplier(api, cache, signing_key, clock)

    async def apply(self, action: Action) -> None:
        """Carry out one action.

        Raises:
            ApiError: it was not done, or it is not known whether it was; plan again later.
        """
        match action:
            case CreatePod():
                await self._create_pod(action)
            case DeletePod():
                await self._delete_pod(action)
            case WriteStatus():
                await self._write_status(action)
            case DeleteInstance():
                await self._delete_instance(action)
            case ClaimPod():
                await self._claim_pod(action)
            case CreateWarmPod() | DeleteWarmPod() | WritePoolStatus():
                await self._pools.apply(action)
            case WriteToken():
                await self._tokens.write(action)
            case AskServer() | BindTask():
                self._asker.ask(action)
            case EmitEvent():
                self._recorder.emit(action, self._clock())

    async def _create_pod(self, action: CreatePod) -> None:
        instance = action.instance
        try:
            raw = await self._api.create_pod(action.manifest)
            _log.info("%s: created pod %s", instance.key, instance.pod_name)
        except AlreadyExistsError:
            raw = await self._api.get_pod(instance.key._replace(name=instance.pod_name))
        except RejectedError as error:
            _log.warning("%s: the pod was rejected: %s", instance.key, error)
            self._refuse(instance, Reason.POD_REJECTED, error.message)
            return
        pod = Pod.from_api(raw)
        is_own = pod.owner is not None and pod.owner.uid == instance.uid
        if not (is_own and pod.is_labelled):
            what = f"has lost the label {POD_SELECTOR}" if is_own else "belongs to another owner"
            message = f"pod {pod.key.name} exists and {what}; it is not touched"
            self._refuse(instance, Reason.POD_NAME_CONFLICT, message)
            return
        self._cache.store_pod(pod)
        self._cache.store_refusal(instance, None)

    async def _claim_pod(self, action: ClaimPod) -> None:
        instance, pod = action.instance, action.pod
        patch = build_claim(instance, pod.resource_version)
        try:
            raw = await self._api.claim_pod(pod.key, patch)
            _log.info("%s: claimed pod %s", instance.key, pod.key.name)
            self._metrics.count_claim("claimed")
            self._journeys.claimed(instance)
        except NotFoundError:
            self._metrics.count_claim("taken")
            self._cache.remove_pod(pod.key, pod.uid)
            return
        except RejectedError as error:
            _log.warning("%s: the claim was rejected: %s", instance.key, error)
            self._metrics.count_claim("rejected")
            self._refuse(instance, Reason.POD_REJECTED, error.message)
            return
        except ConflictError:
            # Somebody has changed it, maybe this operator whose answer was lost: look who.
            self._metrics.count_claim("taken")
            raw = await self._api.get_pod(pod.key)
        self._cache.store_pod(Pod.from_api(raw))
        self._cache.store_refusal(instance, None)
        self._cache.look_again(instance.key)

    def _refuse(self, instance: TrainingInstance, reason: Reason, message: str) -> None:
        before = self._cache.refusal_of(instance.uid)
        refusal = Refusal.after(before, self._clock(), reason, message)
        self._cache.store_refusal(instance, refusal)

    async def _delete_pod(self, action: DeletePod) -> None:
        try:
            raw = await self._api.delete_pod(
                action.pod, uid=action.uid, grace_seconds=0 if action.force else None
            )
        except NotFoundError:
            self._cache.remove_pod(action.pod, action.uid)
            return
        _log.info("%s: deleted%s", action.pod, " by force" if action.force else "")
        if raw.get("kind") == "Pod":
            self._cache.store_pod(Pod.from_api(raw))

    async def _write_status(self, action: WriteStatus) -> None:
        instance, begin = action.instance, time.perf_counter()
        try:
            raw = await self._api.replace_status(
                instance.key, resource_version=instance.resource_version, status=action.status
            )
        except NotFoundError:
            self._cache.remove_instance(instance.key, instance.uid)
            raise
        except UnavailableError:
            self._pace.observe(max(time.perf_counter() - begin, _OF_AN_OVERLOADED_SERVER))
            raise
        self._pace.observe(time.perf_counter() - begin)
        reasons = [condition["reason"] for condition in action.status["conditions"]]
        _log.info("%s: %s, %s", instance.key, action.status["phase"], reasons[0])
        written = TrainingInstance.from_api(raw)
        if written.phase is Phase.READY:
            self._journeys.ready(written)
        self._cache.store_instance(written)

    async def _delete_instance(self, action: DeleteInstance) -> None:
        instance, until = action.instance, action.wanted_until
        try:
            await self._api.delete_instance(
                instance.key,
                uid=instance.uid,
                resource_version=instance.resource_version,
                wanted_for=lambda: (until - self._clock()).total_seconds() if until else math.inf,
            )
        except NotFoundError:
            self._cache.remove_instance(instance.key, instance.uid)
            raise
        _log.info("%s: deleted", instance.key)
        self._cache.remove_instance(instance.key, instance.uid)
