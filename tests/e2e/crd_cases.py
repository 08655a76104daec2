"""What the API server must refuse, and the words that it must say.

Data for the specifications of the CRD: every case is tried against a real API server. The words
name the field and what is allowed.
"""

from dataclasses import dataclass, field
from typing import Any

# No catalogue has it, so an object that is accepted by mistake gets no pod.
ENV_TYPE = "no-such-environment"

CHANGEABLE = "ttlSeconds, idleTimeoutSeconds, ttlSecondsAfterFinished and retainFailed"

Spec = dict[str, Any]


@dataclass(frozen=True)
class BadObject:
    """An object that cannot be created.

    Attributes:
        what: names the case.
        told: fragments of the API server's message, all of which must be there.
        spec: beside envType, which ``None`` takes away.
    """

    what: str
    told: tuple[str, ...]
    spec: Spec = field(default_factory=dict)
    name: str = "bad"

    def manifest(self, namespace: str) -> dict[str, Any]:
        """Return the object that is to be refused."""
        return manifest(self.name, namespace, self.spec)


@dataclass(frozen=True)
class BadChange:
    """A change of the specification that is refused; ``None`` takes a field away."""

    what: str
    before: Spec
    change: Spec
    told: tuple[str, ...] = ("immutable", CHANGEABLE)


def manifest(name: str, namespace: str, spec: Spec) -> dict[str, Any]:
    """Return a TrainingInstance; a field that is None is left out."""
    wanted = {"envType": ENV_TYPE, **spec}
    return {
        "apiVersion": "trainingsandbox.dev/v1alpha1",
        "kind": "TrainingInstance",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {name: value for name, value in wanted.items() if value is not None},
    }


RESERVED_KEYS = ("not allowed", "kubernetes.io, k8s.io and trainingsandbox.dev")

BAD_OBJECTS = (
    BadObject("no envType", ("spec.envType", "Required"), {"envType": None}),
    BadObject("an empty envType", ("spec.envType",), {"envType": ""}),
    BadObject("an envType that is no name", ("spec.envType",), {"envType": "App World"}),
    BadObject("a long name", ("metadata.name", "63"), name="a" * 64),
    BadObject("no slots", ("spec.slots", "greater than or equal to 1"), {"slots": 0}),
    BadObject("too many slots", ("spec.slots", "less than or equal to 256"), {"slots": 257}),
    BadObject("slots in words", ("spec.slots", "integer"), {"slots": "many"}),
    BadObject(
        "slots of a bound task",
        ("spec.slots", "must be 1 or absent with taskId"),
        {"taskId": "t1", "slots": 2},
    ),
    BadObject("params without a task", ("spec.params", "needs taskId"), {"params": {"a": 1}}),
    BadObject("a list as params", ("spec.params", "object"), {"taskId": "t1", "params": [1]}),
    BadObject(
        "too many params",
        ("spec.params", "at most 64"),
        {"taskId": "t1", "params": {f"key{number}": 1 for number in range(65)}},
    ),
    BadObject("an empty task", ("spec.taskId",), {"taskId": ""}),
    BadObject("a task with a space", ("spec.taskId",), {"taskId": "a b"}),
    BadObject("no life", ("spec.ttlSeconds", "greater than or equal to 1"), {"ttlSeconds": 0}),
    BadObject(
        "too long a life",
        ("spec.ttlSeconds", "less than or equal to 2592000"),
        {"ttlSeconds": 2592001},
    ),
    BadObject(
        "no idle time",
        ("spec.idleTimeoutSeconds", "greater than or equal to 1"),
        {"idleTimeoutSeconds": 0},
    ),
    BadObject(
        "a negative stay",
        ("spec.ttlSecondsAfterFinished", "greater than or equal to 0"),
        {"ttlSecondsAfterFinished": -1},
    ),
    BadObject("a word for a switch", ("spec.retainFailed", "boolean"), {"retainFailed": "yes"}),
    BadObject("an image with a space", ("spec.image",), {"image": "a b"}),
    BadObject(
        "a quantity that is none",
        ("spec.resources.limits.memory",),
        {"resources": {"limits": {"memory": "lots"}}},
    ),
    BadObject(
        "a variable of the operator",
        ("spec.env[0].name", "SANDBOX_ are set by the operator"),
        {"env": [{"name": "SANDBOX_SLOTS", "value": "1"}]},
    ),
    BadObject(
        "a variable from a Secret",
        ("spec.env[0].value", "Required"),
        {"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
    ),
    BadObject(
        "a variable that is no name",
        ("spec.env[0].name",),
        {"env": [{"name": "1-A", "value": "x"}]},
    ),
    BadObject(
        "a variable that comes twice",
        ("spec.env[1]", "Duplicate"),
        {"env": [{"name": "A", "value": "x"}, {"name": "A", "value": "y"}]},
    ),
    BadObject(
        "the operator's label",
        ("spec.labels", *RESERVED_KEYS),
        {"labels": {"app.kubernetes.io/managed-by": "me"}},
    ),
    BadObject(
        "the operator's own label",
        ("spec.labels", *RESERVED_KEYS),
        {"labels": {"trainingsandbox.dev/instance": "other"}},
    ),
    BadObject("a label that is no name", ("spec.labels", "at most 63"), {"labels": {"a b": "x"}}),
    BadObject("a label's value", ("spec.labels.team",), {"labels": {"team": "a b"}}),
    BadObject(
        "an annotation that takes restrictions away",
        ("spec.annotations", *RESERVED_KEYS),
        {"annotations": {"container.apparmor.security.beta.kubernetes.io/server": "unconfined"}},
    ),
    BadObject(
        "a toleration of an unknown effect",
        ("spec.tolerations[0].effect", "NoExecute"),
        {"tolerations": [{"operator": "Exists", "effect": "Never"}]},
    ),
    BadObject(
        "a pull secret without a name",
        ("spec.imagePullSecrets[0].name", "Required"),
        {"imagePullSecrets": [{}]},
    ),
    BadObject(
        "a priority class that is no name",
        ("spec.priorityClassName",),
        {"priorityClassName": "High Priority"},
    ),
)

_TASK: Spec = {"taskId": "t1", "params": {"a": {"b": 1}}}

BAD_CHANGES = (
    BadChange("another environment", {}, {"envType": "another"}),
    BadChange("a task is added", {}, {"taskId": "t1"}),
    BadChange("a task is taken away", {"taskId": "t1"}, {"taskId": None}),
    BadChange("another task", {"taskId": "t1"}, {"taskId": "t2"}),
    BadChange("params are added", {"taskId": "t1"}, {"params": {"a": 1}}),
    BadChange("params are taken away", _TASK, {"params": None}),
    BadChange("a param's value changes", _TASK, {"params": {"a": {"b": 2}}}),
    BadChange("a param is added", _TASK, {"params": {"c": 1}}),
    BadChange("slots are added", {}, {"slots": 4}),
    BadChange("slots change", {"slots": 4}, {"slots": 8}),
    BadChange("an image is added", {}, {"image": "x"}),
    BadChange("resources change", {"resources": {"limits": {"cpu": 1}}}, {"resources": None}),
    BadChange("a node is selected", {}, {"nodeSelector": {"pool": "a"}}),
    BadChange("a toleration is added", {}, {"tolerations": [{"operator": "Exists"}]}),
    BadChange("an affinity is added", {}, {"affinity": {"nodeAffinity": {}}}),
    BadChange("a priority is added", {}, {"priorityClassName": "high"}),
    BadChange("a pull secret is added", {}, {"imagePullSecrets": [{"name": "s"}]}),
    BadChange("a variable is added", {}, {"env": [{"name": "A", "value": "x"}]}),
    BadChange(
        "a variable's value changes",
        {"env": [{"name": "A", "value": "x"}]},
        {"env": [{"name": "A", "value": "y"}]},
    ),
    BadChange("a label is added", {}, {"labels": {"team": "rl"}}),
    BadChange("an annotation changes", {"annotations": {"a": "x"}}, {"annotations": {"a": "y"}}),
)

GOOD_CHANGES: tuple[Spec, ...] = (
    {"ttlSeconds": 60},
    {"idleTimeoutSeconds": 60},
    {"ttlSecondsAfterFinished": 0},
    {"retainFailed": True},
)

FULL: Spec = {
    "taskId": "82e2fac_1",
    "params": {"seed": 7, "nested": {"list": [1, "two", None]}},
    "slots": 1,
    "image": "registry.example/appworld@sha256:" + "0" * 64,
    "resources": {"requests": {"cpu": 1, "memory": "1.5Gi"}, "limits": {"cpu": "2500m"}},
    "nodeSelector": {"pool": "train"},
    "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "training",
    "imagePullSecrets": [{"name": "registry"}],
    "env": [{"name": "LANG", "value": "C.UTF-8"}, {"name": "EMPTY", "value": ""}],
    "labels": {"team": "rl", "example.org/run": "7"},
    "annotations": {"example.org/note": "any text, at most 4096 characters"},
}
"""Every field of the specification, as it may be."""
