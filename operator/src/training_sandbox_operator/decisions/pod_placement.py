"""Where a pod may go, and before whom: the catalogue's word, and the spec's beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

from training_sandbox_operator.model.catalogue import Environment
from training_sandbox_operator.model.names import POOL_LABEL

NODE_LOSS_SECONDS = 30
NODE_LOSS_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")

Manifest = dict[str, Any]


def placement(
    spec: Mapping[str, Any], environment: Environment, spread_with: str | None
) -> Manifest:
    """Return the fields of a pod's spec that place it.

    The catalogue's nodes are a fence: what a spec selects is selected among them.

    Args:
        spec: of the instance or the pool.
        environment: the catalogue's entry.
        spread_with: the pool whose pods count where the spec spreads them.
    """
    fields: Manifest = {
        "tolerations": _tolerations([*spec.get("tolerations", ()), *environment.tolerations])
    }
    nodes = {**spec.get("nodeSelector", {}), **environment.node_selector}
    if nodes:
        fields["nodeSelector"] = nodes
    if "affinity" in spec:
        fields["affinity"] = spec["affinity"]
    priority = spec.get("priorityClassName", environment.priority_class_name)
    if priority is not None:
        fields["priorityClassName"] = priority
    return {**fields, **_spread(spec, environment, spread_with)}


def _tolerations(given: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the given tolerations, and short ones for lost nodes where there are none."""
    named = {toleration.get("key") for toleration in given}
    return [
        *given,
        *(
            {
                "key": taint,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": NODE_LOSS_SECONDS,
            }
            for taint in NODE_LOSS_TAINTS
            if taint not in named
        ),
    ]


def _spread(spec: Mapping[str, Any], environment: Environment, pool_name: str | None) -> Manifest:
    constraints: Sequence[Mapping[str, Any]] = spec.get(
        "topologySpreadConstraints", environment.topology_spread
    )
    if pool_name is None or not constraints:
        return {}
    selector = {"matchLabels": {POOL_LABEL: pool_name}}
    return {
        "topologySpreadConstraints": [{**one, "labelSelector": selector} for one in constraints]
    }
