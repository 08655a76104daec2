"""What specifications of tokens look at."""

import base64
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.operator.conftest import Loop
from tests.operator.fake_cluster import FakeCluster, Object
from training_sandbox_operator.model.names import Key

KEY = Key("system", "signing-key")

Start = Callable[..., Loop]


def token_secrets(cluster: FakeCluster) -> list[Object]:
    return [one for one in cluster.of_kind("secrets") if one["metadata"]["namespace"] != "system"]


def token_secret(cluster: FakeCluster) -> Object:
    (secret,) = token_secrets(cluster)
    return secret


def status_of(cluster: FakeCluster, name: str = "demo") -> dict[str, Any]:
    return cluster.objects["traininginstances", "research", name]["status"]


def claims_of(token: str, pod: Object) -> dict[str, Any]:
    """Check a token as the pod's server does."""
    variables = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
    raw = base64.urlsafe_b64decode(variables["SANDBOX_TOKEN_PUBLIC_KEY"] + "=")
    key = Ed25519PublicKey.from_public_bytes(raw)
    audience = f"{pod['metadata']['uid']}-{restarts(pod)}"
    # When it ends is told by a clock that stands still.
    options: Any = {"verify_exp": False}
    return jwt.decode(token, key, algorithms=["EdDSA"], audience=audience, options=options)


def restarts(pod: Object) -> int:
    return pod["status"]["containerStatuses"][0]["restartCount"]
