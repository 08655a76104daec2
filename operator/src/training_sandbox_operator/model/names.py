"""Names that the API, the pods and the clients agree on."""

from collections.abc import Mapping
from typing import Any, NamedTuple

GROUP = "trainingsandbox.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "TrainingInstance"
PLURAL = "traininginstances"
POOL_KIND = "TrainingPool"
POOL_PLURAL = "trainingpools"
LEADER_KIND = "OperatorLeader"
LEADER_PLURAL = "operatorleaders"

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "training-sandbox"
POD_SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
FIELD_MANAGER = "training-sandbox-operator"
INSTANCE_LABEL = f"{GROUP}/instance"
INSTANCE_UID_LABEL = f"{GROUP}/instance-uid"
ENV_TYPE_LABEL = f"{GROUP}/env-type"
POOL_LABEL = f"{GROUP}/pool"
TEMPLATE_LABEL = f"{GROUP}/template"
INCARNATION_ANNOTATION = f"{GROUP}/incarnation"
PUBLIC_KEY_ANNOTATION = f"{GROUP}/public-key"

CONTAINER = "server"
PUBLIC_KEY_VARIABLE = "SANDBOX_TOKEN_PUBLIC_KEY"
PORT = 8000

_TOKEN_SECRET_SUFFIX = "-token"

JsonObject = Mapping[str, Any]
"""An object of the Kubernetes API as JSON gives it."""


class Key(NamedTuple):
    """What tells an object from the others of its kind: ``namespace/name``."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def pod_name(instance_name: str, instance_uid: str) -> str:
    """Return the name of the only pod that an instance may ever have.

    It is derived, not generated: a creation whose answer was lost, or a second operator, meets
    AlreadyExists instead of making another pod. The UID's part keeps apart an instance and a
    later one of the same name.
    """
    readable = instance_name[:50].rstrip("-.")
    return f"{readable}-{instance_uid[:8]}"


def warm_pod_name(pool_name: str, pool_uid: str, number: int) -> str:
    """Return the name of the pool's pod with this number.

    It is derived as well: whoever makes the pool's next pod takes the least number that is free, so
    that two who do so, or one who was not answered, make one pod.
    """
    readable = pool_name[:40].rstrip("-.")
    return f"{readable}-{pool_uid[:8]}-{number}"


def token_secret_name(instance_name: str) -> str:
    """Return the name of the Secret with the instance's token."""
    return f"{instance_name}{_TOKEN_SECRET_SUFFIX}"


def instance_of_token_secret(secret_name: str) -> str:
    """Return the name of the instance that a Secret of this name is for."""
    return secret_name.removesuffix(_TOKEN_SECRET_SUFFIX)
