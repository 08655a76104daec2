"""What an instance or a pool may override, and what only with the administrator's leave.

Whoever may create these objects must not gain by them what the cluster does not let them have:
the priority over others, nodes that are kept apart, a Secret that they cannot read, a place in
somebody's Service, a program of their own. The catalogue says what of that is allowed, by default
nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from training_sandbox_operator.decisions.pod_placement import NODE_LOSS_TAINTS
from training_sandbox_operator.model.bounded_spec import LARGEST_SPEC
from training_sandbox_operator.model.catalogue import Allowances, Environment
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.pool import TrainingPool


@dataclass(frozen=True, slots=True)
class _Override:
    """The values that one field of a spec gives.

    Attributes:
        setting: of the chart's value ``allowed``, which has the patterns.
        own: what the environment has itself.
    """

    field: str
    given: Collection[str]
    setting: str
    patterns: Sequence[str]
    own: Collection[str] = ()

    def forbidden(self) -> Iterator[str]:
        for value in self.given:
            if value not in self.own and not any(fnmatchcase(value, one) for one in self.patterns):
                yield value


def forbidden_override(
    one: TrainingInstance | TrainingPool, environment: Environment, allowed: Allowances
) -> str | None:
    """Return what the spec may not have and what it may, in a sentence; None when all is allowed.

    Args:
        one: the instance or the pool.
        environment: the catalogue's entry; what it has itself is allowed.
        allowed: what is allowed beside that.
    """
    if one.oversize is not None:
        return f"spec: {one.oversize} bytes as JSON are not allowed; allowed: {LARGEST_SPEC}"
    for override in _overrides(one.spec, environment, allowed):
        for value in override.forbidden():
            may = ", ".join(dict.fromkeys([*override.own, *override.patterns])) or "none"
            return (
                f"spec.{override.field}: {value or 'every key'} is not allowed; allowed: {may} "
                f"(the chart's value allowed.{override.setting})"
            )
    return None


def _overrides(
    spec: Mapping[str, Any], environment: Environment, allowed: Allowances
) -> Iterator[_Override]:
    if "image" in spec:
        yield _Override("image", [spec["image"]], "images", allowed.images, [environment.image])
    if "imagePullSecrets" in spec:
        yield _Override(
            "imagePullSecrets",
            [one["name"] for one in spec["imagePullSecrets"]],
            "imagePullSecrets",
            allowed.image_pull_secrets,
            [one.name for one in environment.image_pull_secrets],
        )
    if "priorityClassName" in spec:
        own = environment.priority_class_name
        yield _Override(
            "priorityClassName",
            [spec["priorityClassName"]],
            "priorityClassNames",
            allowed.priority_class_names,
            [own] if own is not None else (),
        )
    if "tolerations" in spec:
        yield _Override(
            "tolerations",
            [one.get("key", "") for one in spec["tolerations"]],
            "tolerations",
            allowed.tolerations,
            NODE_LOSS_TAINTS,
        )
    yield _Override("env", [one["name"] for one in spec.get("env", ())], "env", allowed.env)
    for kind, amounts in spec.get("resources", {}).items():
        yield _Override(f"resources.{kind}", amounts, "resources", allowed.resources)
    yield _Override("labels", spec.get("labels", {}), "labels", allowed.labels)
    yield _Override("annotations", spec.get("annotations", {}), "annotations", allowed.annotations)
