"""Where pods go: the catalogue's word, and the spec's beside it."""

from typing import Any

from tests.operator import builders as build
from training_sandbox_operator.decisions.pod_spec import build_pod, build_warm_pod
from training_sandbox_operator.model.catalogue import Environment

SPREAD = {
    "maxSkew": 1,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "ScheduleAnyway",
}
PLACED = Environment.model_validate(
    {
        "image": "x:1",
        "nodeSelector": {"pool": "sandboxes"},
        "tolerations": [{"key": "sandboxes", "operator": "Exists"}],
        "priorityClassName": "training",
        "topologySpreadConstraints": [SPREAD],
        "imagePullSecrets": [{"name": "registry"}],
    }
)


def pod_of(environment: Environment, **spec: Any) -> dict[str, Any]:
    return build_pod(build.instance(**spec), environment)["spec"]


def warm_pod_of(environment: Environment, **spec: Any) -> dict[str, Any]:
    return build_warm_pod(build.pool(**spec), environment, 0)["spec"]


def test_the_catalogue_places_pods() -> None:
    pod = pod_of(PLACED)
    assert pod["nodeSelector"] == {"pool": "sandboxes"}
    assert pod["tolerations"][0] == {"key": "sandboxes", "operator": "Exists"}
    assert pod["priorityClassName"] == "training"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_an_instance_selects_among_the_catalogues_nodes() -> None:
    pod = pod_of(PLACED, nodeSelector={"pool": "other", "zone": "a"})
    assert pod["nodeSelector"] == {"pool": "sandboxes", "zone": "a"}


def test_an_instance_adds_to_what_the_catalogue_has() -> None:
    mine = {"key": "gpu", "operator": "Exists"}
    pod = pod_of(
        PLACED,
        tolerations=[mine],
        imagePullSecrets=[{"name": "mine"}, {"name": "registry"}],
        priorityClassName="urgent",
    )
    assert pod["tolerations"][:2] == [mine, {"key": "sandboxes", "operator": "Exists"}]
    assert pod["imagePullSecrets"] == [{"name": "registry"}, {"name": "mine"}]
    assert pod["priorityClassName"] == "urgent"


def test_a_plain_entry_places_nothing() -> None:
    pod = pod_of(build.APPWORLD)
    absent = {"nodeSelector", "affinity", "priorityClassName", "imagePullSecrets"}
    assert not pod.keys() & {*absent, "topologySpreadConstraints"}


def test_the_warm_pods_of_a_pool_are_spread_as_the_pool_says_else_the_catalogue() -> None:
    selector = {"labelSelector": {"matchLabels": {"trainingsandbox.dev/pool": "warm"}}}
    by_zone = {**SPREAD, "topologyKey": "topology.kubernetes.io/zone"}
    assert warm_pod_of(PLACED)["topologySpreadConstraints"] == [{**SPREAD, **selector}]
    spread = warm_pod_of(PLACED, topologySpreadConstraints=[by_zone])["topologySpreadConstraints"]
    assert spread == [{**by_zone, **selector}]


def test_the_pod_of_an_instance_is_spread_with_nothing() -> None:
    assert "topologySpreadConstraints" not in pod_of(PLACED)
