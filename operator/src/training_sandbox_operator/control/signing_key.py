"""The key that the tokens of all instances are signed with, and what is signed with it."""

import asyncio
import base64
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from training_sandbox_operator.cluster.errors import AlreadyExistsError, ApiError, NotFoundError
from training_sandbox_operator.cluster.kubernetes_api import KubernetesApi
from training_sandbox_operator.cluster.secrets import Secrets
from training_sandbox_operator.decisions.tokens import build_token_secret
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import JsonObject, Key

_log = logging.getLogger(__name__)

_ALGORITHM = "EdDSA"
_FIELD = "ed25519"
_PERIOD_SECONDS = 60.0
_OWN_LIFE = timedelta(seconds=60)


class SigningKeyError(Exception):
    """The Secret of the signing key cannot be used; the text says why and what to do."""


class SigningKey:
    """An Ed25519 key in a Secret of the operator's own, or none where tokens are switched off.

    It is read when the operator begins to work, and made if it is not there; so all operators have
    the same. A token of a client is the same whenever it is signed: Ed25519 is deterministic.

    Args:
        api: the API server.
        secret: where the key is; None switches tokens off.
        clock: the present time.
    """

    def __init__(
        self, api: KubernetesApi, secret: Key | None, clock: Callable[[], datetime]
    ) -> None:
        self._secrets = Secrets(api)
        self._clock = clock
        self._secret = secret
        self._key: Ed25519PrivateKey | None = None

    @property
    def public_key(self) -> str | None:
        """What servers check tokens by, in base64url; None where tokens are switched off."""
        if self._key is None:
            return None
        raw = self._key.public_key().public_bytes_raw()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    async def adopt(self) -> None:
        """Take the key that the Secret has; make one if there is no Secret.

        Raises:
            SigningKeyError: what the Secret has is no key.
            ApiError: it cannot be read or made.
        """
        if self._secret is not None and self._key is None:
            self._key = await self._stored(self._secret) or await self._make(self._secret)

    async def run(self) -> None:
        """Look after the Secret for ever, once a minute."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            try:
                await self.keep()
            except ApiError as error:
                _log.warning("the Secret with the signing key was not looked at: %s", error)

    async def keep(self) -> None:
        """Put the key back if somebody has deleted its Secret: running servers know this key only.

        Raises:
            ApiError: it is not known whether it is there.
        """
        if self._secret is None or self._key is None:
            return
        try:
            await self._secrets.get_metadata(self._secret)
        except NotFoundError:
            _log.warning("the Secret %s with the signing key is gone; it is put back", self._secret)
            try:
                await self._secrets.create(_manifest(self._secret, self._key))
            except AlreadyExistsError:
                _log.warning(
                    "the Secret %s is another; it counts from the next start", self._secret
                )

    def secret_for(self, instance: TrainingInstance, incarnation: str) -> JsonObject:
        """Return the Secret with the token that plays in one incarnation of an instance's server.

        Raises:
            ValueError: tokens are switched off.
        """
        token = self._sign({"aud": incarnation, "sub": instance.uid, "role": "client"})
        return build_token_secret(
            instance, incarnation, public_key=self.public_key or "", token=token
        )

    def headers_for(self, audience: str | None) -> Mapping[str, str]:
        """Return what shows a server that the operator asks.

        Args:
            audience: the incarnation that is asked; None for a server that wants no token.
        """
        if audience is None or self._key is None:
            return {}
        expires_at = self._clock() + _OWN_LIFE
        claims = {"aud": audience, "sub": "operator", "role": "operator", "exp": expires_at}
        return {"Authorization": f"Bearer {self._sign(claims)}"}

    def _sign(self, claims: Mapping[str, object]) -> str:
        if self._key is None:
            raise ValueError("tokens are switched off")
        return jwt.encode(dict(claims), self._key, algorithm=_ALGORITHM)

    async def _stored(self, secret: Key) -> Ed25519PrivateKey | None:
        try:
            return _read(await self._secrets.get(secret), secret)
        except NotFoundError:
            return None

    async def _make(self, secret: Key) -> Ed25519PrivateKey:
        key = Ed25519PrivateKey.generate()
        try:
            await self._secrets.create(_manifest(secret, key))
        except AlreadyExistsError:
            return _read(await self._secrets.get(secret), secret)
        _log.info("made a signing key in the Secret %s", secret)
        return key


def _manifest(secret: Key, key: Ed25519PrivateKey) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {"namespace": secret.namespace, "name": secret.name},
        "data": {_FIELD: base64.b64encode(key.private_bytes_raw()).decode()},
    }


def _read(raw: JsonObject, secret: Key) -> Ed25519PrivateKey:
    data: JsonObject = raw.get("data") or {}
    try:
        return Ed25519PrivateKey.from_private_bytes(
            base64.b64decode(data.get(_FIELD, ""), validate=True)
        )
    except ValueError:
        # Without its cause, which may quote what it was made of.
        raise SigningKeyError(
            f"the Secret {secret} has no Ed25519 key in data.{_FIELD}: 32 bytes; put the key back, "
            "or delete the Secret to have another one made"
        ) from None
