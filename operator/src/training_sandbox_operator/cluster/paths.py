"""Where the API server has what the operator works with."""

from training_sandbox_operator.model.names import (
    GROUP,
    LEADER_PLURAL,
    PLURAL,
    POOL_PLURAL,
    VERSION,
    Key,
)


def pods(namespace: str | None) -> str:
    """Return the path of the pods of a namespace, or of all namespaces."""
    return f"api/v1/namespaces/{namespace}/pods" if namespace else "api/v1/pods"


def instances(namespace: str | None) -> str:
    """Return the path of the instances of a namespace, or of all namespaces."""
    return _custom(namespace, PLURAL)


def pools(namespace: str | None) -> str:
    """Return the path of the pools of a namespace, or of all namespaces."""
    return _custom(namespace, POOL_PLURAL)


def secrets(namespace: str | None) -> str:
    """Return the path of the Secrets of a namespace, or of all namespaces."""
    return f"api/v1/namespaces/{namespace}/secrets" if namespace else "api/v1/secrets"


def leases(key: Key) -> str:
    """Return the path of the leases beside this one."""
    return f"apis/coordination.k8s.io/v1/namespaces/{key.namespace}/leases"


def leaders(key: Key) -> str:
    """Return the path of the OperatorLeaders beside this one."""
    return _custom(key.namespace, LEADER_PLURAL)


def _custom(namespace: str | None, plural: str) -> str:
    root = f"apis/{GROUP}/{VERSION}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"
