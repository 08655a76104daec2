"""What the API server must refuse of pools and of claims, and the words that it must say."""

from dataclasses import dataclass
from typing import Any

from tests.e2e.crd_cases import ENV_TYPE, BadObject

Spec = dict[str, Any]


@dataclass(frozen=True)
class BadPool:
    """A pool that cannot be created; ``None`` takes a field away."""

    what: str
    told: tuple[str, ...]
    spec: Spec

    def manifest(self, namespace: str) -> dict[str, Any]:
        return pool("bad", namespace, self.spec)


def pool(name: str, namespace: str, spec: Spec) -> dict[str, Any]:
    """Return a TrainingPool; a field that is None is left out."""
    wanted = {"envType": ENV_TYPE, "replicas": 0, **spec}
    return {
        "apiVersion": "trainingsandbox.dev/v1alpha1",
        "kind": "TrainingPool",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {name: value for name, value in wanted.items() if value is not None},
    }


BAD_POOLS = (
    BadPool("no envType", ("spec.envType", "Required"), {"envType": None}),
    BadPool("no number", ("spec.replicas", "either replicas"), {"replicas": None}),
    BadPool("two numbers", ("spec.replicas", "either replicas"), {"maxReplicas": 3}),
    BadPool("a least number alone", ("spec.minReplicas", "needs maxReplicas"), {"minReplicas": 1}),
    BadPool(
        "more at least than at most",
        ("spec.minReplicas", "at most maxReplicas"),
        {"replicas": None, "minReplicas": 4, "maxReplicas": 3},
    ),
    BadPool("less than none", ("spec.replicas", "greater than or equal to 0"), {"replicas": -1}),
    BadPool("far too many", ("spec.replicas", "less than or equal to 10000"), {"replicas": 10001}),
    BadPool(
        "too short an age",
        ("spec.maxAgeSeconds", "greater than or equal to 60"),
        {"maxAgeSeconds": 1},
    ),
    BadPool(
        "a variable of the operator",
        ("spec.env[0].name", "SANDBOX_ are set by the operator"),
        {"env": [{"name": "SANDBOX_SLOTS", "value": "1"}]},
    ),
    BadPool(
        "the operator's label",
        ("spec.labels", "not allowed"),
        {"labels": {"trainingsandbox.dev/pool": "other"}},
    ),
    BadPool(
        "a spread that is none",
        ("spec.topologySpreadConstraints[0].whenUnsatisfiable",),
        {
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "Hope"}
            ]
        },
    ),
)

_DECIDED_BY_THE_POOL: Spec = {
    "slots": 4,
    "image": "x",
    "resources": {"limits": {"cpu": 1}},
    "nodeSelector": {"pool": "a"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "imagePullSecrets": [{"name": "s"}],
    "env": [{"name": "A", "value": "x"}],
    "labels": {"team": "rl"},
    "annotations": {"a": "x"},
}
_REFERENCE = {"poolRef": {"name": "warm"}}

BAD_CLAIMS = (
    BadObject("a pool without a name", ("spec.poolRef.name", "Required"), {"poolRef": {}}),
    BadObject(
        "another way to wait",
        ("spec.poolRef.whenEmpty", "Wait", "ColdStart"),
        {"poolRef": {"name": "warm", "whenEmpty": "Hope"}},
    ),
    *(
        BadObject(
            f"{name} beside a pool",
            (f"spec.{name}", "the pool decides it", "ttlSeconds"),
            {**_REFERENCE, name: value},
        )
        for name, value in _DECIDED_BY_THE_POOL.items()
    ),
)
