"""Carries out what a plan says about the token of an instance."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from training_sandbox_operator.cluster.errors import (
    AlreadyExistsError,
    NotFoundError,
    RejectedError,
)
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.cluster.secrets import Secrets
from training_sandbox_operator.control.cache import Cache
from training_sandbox_operator.control.signing_key import SigningKey
from training_sandbox_operator.decisions.actions import WriteToken
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import token_secret_name
from training_sandbox_operator.model.reasons import Reason
from training_sandbox_operator.model.situation import Refusal, WrittenToken
from training_sandbox_operator.model.token_secret import TokenSecret

_log = logging.getLogger(__name__)


class TokenApplier:
    """Puts tokens into Secrets, and what comes of it into the cache."""

    def __init__(
        self,
        api: KubernetesApi,
        cache: Cache,
        signing_key: SigningKey,
        clock: Callable[[], datetime],
    ) -> None:
        self._secrets = Secrets(api)
        self._cache = cache
        self._signing_key = signing_key
        self._clock = clock

    async def write(self, action: WriteToken) -> None:
        """Create the Secret, in the place of what the plan has found there.

        Raises:
            ApiError: it was not done, or it is not known whether it was; plan again later.
        """
        instance, replaced = action.instance, action.replaces
        if replaced is not None:
            with suppress(NotFoundError):
                await self._secrets.delete(replaced.key, uid=replaced.uid)
            self._cache.remove_secret(replaced.key, replaced.uid)
        manifest = self._signing_key.secret_for(instance, action.incarnation)
        try:
            raw = await self._secrets.create(manifest)
        except AlreadyExistsError:
            await self._look_at_what_is_there(instance, has_deleted=replaced is not None)
            return
        except RejectedError as error:
            _log.warning("%s: the Secret with the token was rejected: %s", instance.key, error)
            self._refuse(instance, Reason.TOKEN_REJECTED, error.message)
            return
        _log.info("%s: wrote the token of incarnation %s", instance.key, action.incarnation)
        self._cache.note_token_written(instance, WrittenToken(action.incarnation, self._clock()))
        self._store(instance, TokenSecret.from_api(raw))

    async def _look_at_what_is_there(
        self, instance: TrainingInstance, *, has_deleted: bool
    ) -> None:
        """Take in an earlier answer that was lost, or find that the name is a stranger's."""
        name = token_secret_name(instance.key.name)
        raw = await self._secrets.get_metadata(instance.key._replace(name=name))
        secret = TokenSecret.from_api(raw)
        if secret.is_of(instance.key.name) and not has_deleted:
            self._store(instance, secret)
            return
        self._refuse(
            instance,
            Reason.TOKEN_SECRET_CONFLICT,
            f"Secret {name}, where the token is to be, exists and belongs to another owner or is "
            "being deleted; it is not touched",
        )

    def _store(self, instance: TrainingInstance, secret: TokenSecret) -> None:
        self._cache.store_secret(secret)
        self._cache.store_token_refusal(instance, None)
        self._cache.look_again(instance.key)

    def _refuse(self, instance: TrainingInstance, reason: Reason, message: str) -> None:
        before = self._cache.token_refusal_of(instance.uid)
        refusal = Refusal.after(before, self._clock(), reason, message)
        self._cache.store_token_refusal(instance, refusal)
