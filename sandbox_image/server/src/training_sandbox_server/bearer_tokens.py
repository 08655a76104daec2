"""Who may call this server: bearers of tokens that the operator signs for one incarnation.

The server knows the operator's public key and no secret, so that a pod needs none, and agent code
finds none in it.
"""

import base64
import hmac
import re
from enum import StrEnum
from hashlib import sha256
from typing import cast

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from training_sandbox_server.errors import ForbiddenError, UnauthorizedError
from training_sandbox_server.incarnation_name import may_mean

_ALGORITHM = "EdDSA"
_KEY_BYTES = 32
_CLOCKS_DIFFER_SECONDS = 60
# What the parts of a JWS are made of; an Ed25519 signature has 64 bytes.
_SIGNED = re.compile(r"[\w-]{1,512}\.[\w-]{1,2048}\.[\w-]{86}", re.ASCII)

_OPEN_TO_ALL = frozenset({"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"})
"""The probes, the counts for Prometheus, and the description of the API."""

_WHAT_TO_DO = (
    "this server is called with the token of its present incarnation only: take it from the Secret "
    "that the instance's status.tokenSecret names and send the header 'Authorization: Bearer TOKEN'"
)


class Role(StrEnum):
    """Who bears a token."""

    CLIENT = "client"
    OPERATOR = "operator"

    def may_call(self, path: str) -> bool:
        """Whether the bearer may call this path, beside those that are open to all."""
        if self is Role.OPERATOR:
            return path in {"/status", "/bind"}
        return path != "/bind"


def read_public_key(text: str) -> Ed25519PublicKey:
    """The key that its base64url text stands for.

    Raises:
        ValueError: It is none.
    """
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if len(raw) != _KEY_BYTES:
        raise ValueError(f"an Ed25519 key has {_KEY_BYTES} bytes, not {len(raw)}")
    return Ed25519PublicKey.from_public_bytes(raw)


class Doorkeeper:
    """Lets calls pass that bear a token of this incarnation.

    A token is a JWT: `aud` is the incarnation, `role` one of `Role`, and the operator's has an
    `exp`; the client's ends with the incarnation. The signature of a client's token is checked once
    in a row of calls; later ones are compared with it, in constant time.

    Tokens of a later start of the same pod are taken as well: see `incarnation_name.may_mean`.

    Args:
        public_key: The operator's.
        incarnation: This one's name.
    """

    def __init__(self, public_key: Ed25519PublicKey, incarnation: str) -> None:
        self._key = public_key
        self._incarnation = incarnation
        self._last_client = b""
        # What is no token at all costs its sender as much time as a forged one.
        self._forged = jwt.encode(
            {"aud": incarnation}, Ed25519PrivateKey.generate(), algorithm=_ALGORITHM
        )

    def check(self, path: str, authorization: str | None) -> None:
        """Let a call pass, or not.

        Args:
            path: What is called, with single slashes.
            authorization: The header of that name.

        Raises:
            UnauthorizedError: There is no token, or not one of this incarnation.
            ForbiddenError: The token is for other calls.
        """
        if path in _OPEN_TO_ALL:
            return
        scheme, _, token = (authorization or "").partition(" ")
        role = self._role(token.strip() if scheme.lower() == "bearer" else "")
        if role is None:
            raise UnauthorizedError(_WHAT_TO_DO)
        if not role.may_call(path):
            raise ForbiddenError(f"{path} is not for the {role.value}'s token")

    def _role(self, token: str) -> Role | None:
        digest = sha256(token.encode()).digest()
        if hmac.compare_digest(digest, self._last_client):
            return Role.CLIENT
        is_signed = _SIGNED.fullmatch(token) is not None
        role = self._verify(token if is_signed else self._forged)
        if role is Role.CLIENT:
            self._last_client = digest
        return role

    def _verify(self, token: str) -> Role | None:
        try:
            claims = cast(
                "dict[str, object]",
                jwt.decode(
                    token,
                    self._key,
                    algorithms=[_ALGORITHM],
                    leeway=_CLOCKS_DIFFER_SECONDS,
                    options={"require": ["aud", "sub", "role"], "verify_aud": False},
                ),
            )
            role = Role(str(claims["role"]))
        except (jwt.InvalidTokenError, ValueError):
            return None
        if not may_mean(str(claims["aud"]), self._incarnation):
            return None
        return None if role is Role.OPERATOR and "exp" not in claims else role
