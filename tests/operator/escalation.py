"""What somebody who may create TrainingInstances and TrainingPools could try, field by field.

Data for two specifications: what the operator makes of it (``test_escalation.py``), and what the
API server refuses (``tests/api_server``). Every field of both objects is here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]
Manifest = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One way to ask for more, and what holds it back: one of the last three.

    Attributes:
        what: is tried to be had.
        refused: fragments of the API server's message.
        opened_by: a pattern of the catalogue's ``allowed`` without which the operator makes no pod.
        held: whether the pod, which is made, does not have it.
    """

    what: str
    spec: Spec
    refused: tuple[str, ...] = ()
    opened_by: tuple[str, str] | None = None
    held: Callable[[Manifest], bool] | None = None


def variable(pod: Manifest, name: str) -> str:
    variables = pod["spec"]["containers"][0]["env"]
    return next(one["value"] for one in variables if one["name"] == name)


def server(pod: Manifest) -> Manifest:
    (container,) = pod["spec"]["containers"]
    return container


RESERVED = ("not allowed", "kubernetes.io, k8s.io and trainingsandbox.dev")
EVERYWHERE = {"topologyKey": "zone", "labelSelector": {}, "namespaceSelector": {}}
_OTHERS = {"topologyKey": "zone", "labelSelector": {}, "namespaces": ["production"]}

OF_BOTH: dict[str, tuple[Attempt, ...]] = {
    "envType": (Attempt("a file's name", {"envType": "../secret"}, refused=("spec.envType",)),),
    "slots": (Attempt("any number of episodes", {"slots": 100000}, refused=("spec.slots", "256")),),
    "image": (
        Attempt("another program", {"image": "evil.example/miner:1"}, opened_by=("images", "*")),
        Attempt(
            "another version of the catalogue's",
            {"image": "registry.example/appworld:0"},
            opened_by=("images", "registry.example/appworld:*"),
        ),
    ),
    "resources": (
        Attempt(
            "a device of the node",
            {"resources": {"limits": {"devices.example/kvm": 1}}},
            opened_by=("resources", "devices.example/*"),
        ),
        Attempt(
            "all memory of the node",
            {"resources": {"requests": {"cpu": "1"}}},
            held=lambda pod: server(pod)["resources"]["limits"] == {"memory": "6Gi"},
        ),
    ),
    "nodeSelector": (
        Attempt(
            "nodes beyond the catalogue's",
            {"nodeSelector": {"pool": "production"}},
            held=lambda pod: pod["spec"]["nodeSelector"] == {"pool": "sandboxes"},
        ),
    ),
    "tolerations": (
        Attempt(
            "the control plane's nodes",
            {"tolerations": [{"key": "node-role.kubernetes.io/control-plane"}]},
            opened_by=("tolerations", "node-role.kubernetes.io/*"),
        ),
        Attempt(
            "every node", {"tolerations": [{"operator": "Exists"}]}, opened_by=("tolerations", "*")
        ),
    ),
    "affinity": (
        Attempt(
            "a zone without pods of others",
            {
                "affinity": {
                    "podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [EVERYWHERE]
                    }
                }
            },
            refused=("spec.affinity.podAntiAffinity", "only pods of the same namespace count"),
        ),
        Attempt(
            "a place beside pods of others",
            {
                "affinity": {
                    "podAffinity": {
                        "preferredDuringSchedulingIgnoredDuringExecution": [
                            {"weight": 1, "podAffinityTerm": _OTHERS}
                        ]
                    }
                }
            },
            refused=("spec.affinity.podAffinity", "only pods of the same namespace count"),
        ),
    ),
    "priorityClassName": (
        Attempt(
            "the room of others",
            {"priorityClassName": "system-node-critical"},
            opened_by=("priorityClassNames", "system-*"),
        ),
    ),
    "imagePullSecrets": (
        Attempt(
            "a Secret that cannot be read",
            {"imagePullSecrets": [{"name": "of-another-team"}]},
            opened_by=("imagePullSecrets", "of-*"),
        ),
    ),
    "env": (
        Attempt(
            "a Secret that cannot be read",
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
            refused=("spec.env[0].value", "Required"),
        ),
        Attempt(
            "a server without a jail",
            {"env": [{"name": "SANDBOX_JAIL", "value": "off"}]},
            refused=("spec.env[0].name", "SANDBOX_ are set by the operator"),
        ),
        Attempt(
            "a program of their own, which Python runs before the server",
            {"env": [{"name": "PYTHONWARNINGS", "value": "all:0:antigravity.x:0:0"}]},
            opened_by=("env", "PYTHON*"),
        ),
        Attempt(
            "the value of another variable",
            {"env": [{"name": "A", "value": "$(TOKEN)"}]},
            held=lambda pod: variable(pod, "A") == "$$(TOKEN)",
        ),
    ),
    "labels": (
        Attempt("a Service's calls", {"labels": {"app": "bank"}}, opened_by=("labels", "app")),
        Attempt(
            "another instance's pod",
            {"labels": {"trainingsandbox.dev/instance": "other"}},
            refused=("spec.labels", *RESERVED),
        ),
        Attempt(
            "a pod that no policy selects",
            {"labels": {"app.kubernetes.io/managed-by": "me"}},
            refused=("spec.labels", *RESERVED),
        ),
    ),
    "annotations": (
        Attempt(
            "a sidecar with credentials",
            {"annotations": {"vault.hashicorp.com/agent-inject": "true"}},
            opened_by=("annotations", "vault.hashicorp.com/*"),
        ),
        Attempt(
            "another network",
            {"annotations": {"k8s.v1.cni.cncf.io/networks": "host"}},
            opened_by=("annotations", "k8s.v1.cni.cncf.io/*"),
        ),
        Attempt(
            "no AppArmor",
            {
                "annotations": {
                    "container.apparmor.security.beta.kubernetes.io/server": "unconfined"
                }
            },
            refused=("spec.annotations", *RESERVED),
        ),
    ),
}

OF_INSTANCES: dict[str, tuple[Attempt, ...]] = {
    "taskId": (
        Attempt(
            "the value of a variable",
            {"taskId": "$(TOKEN)"},
            held=lambda pod: variable(pod, "SANDBOX_TASK_ID") == "$$(TOKEN)",
        ),
    ),
    "params": (
        Attempt(
            "the value of a variable",
            {"taskId": "t1", "params": {"a": "$(TOKEN)"}},
            held=lambda pod: variable(pod, "SANDBOX_PARAMS") == '{"a":"$$(TOKEN)"}',
        ),
    ),
    "poolRef": (
        Attempt(
            "a pod of another namespace",
            {"poolRef": {"name": "production/warm"}},
            refused=("spec.poolRef.name",),
        ),
    ),
    "ttlSeconds": (
        Attempt(
            "to stay for ever", {"ttlSeconds": 2592001}, refused=("spec.ttlSeconds", "2592000")
        ),
    ),
    "idleTimeoutSeconds": (
        Attempt(
            "to stay for ever",
            {"idleTimeoutSeconds": 2592001},
            refused=("spec.idleTimeoutSeconds", "2592000"),
        ),
    ),
    "ttlSecondsAfterFinished": (
        Attempt(
            "to stay for ever",
            {"ttlSecondsAfterFinished": 2592001},
            refused=("spec.ttlSecondsAfterFinished", "2592000"),
        ),
    ),
    "retainFailed": (
        Attempt(
            "to stay for ever",
            {"retainFailed": True, "ttlSeconds": 2592001},
            refused=("spec.ttlSeconds", "2592000"),
        ),
    ),
}

OF_POOLS: dict[str, tuple[Attempt, ...]] = {
    **{
        name: (Attempt("any number of pods", {name: 10001}, refused=(f"spec.{name}", "10000")),)
        for name in ("replicas", "minReplicas", "maxReplicas")
    },
    "maxAgeSeconds": (
        Attempt("a new pod every second", {"maxAgeSeconds": 1}, refused=("spec.maxAgeSeconds",)),
    ),
    "topologySpreadConstraints": (
        Attempt(
            "a place that depends on pods of others",
            {
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "topologyKey": "zone",
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {"matchLabels": {"app": "bank"}},
                    }
                ]
            },
            held=lambda pod: (
                [
                    one["labelSelector"]["matchLabels"]
                    for one in pod["spec"]["topologySpreadConstraints"]
                ]
                == [{"trainingsandbox.dev/pool": "warm"}]
            ),
        ),
    ),
}
