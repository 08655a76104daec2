"""The pod: what an instance may change of it, and what it never can."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operator import builders as build
from tests.operator.fake_cluster import apply_patch
from training_sandbox_operator.decisions.pod_spec import build_claim, build_pod, oversized_params
from training_sandbox_operator.model.catalogue import Environment


def pod_of(environment: Environment = build.APPWORLD, **spec: Any) -> dict[str, Any]:
    return build_pod(build.instance(**spec), environment)


def container_of(**details: Any) -> dict[str, Any]:
    return pod_of(**details)["spec"]["containers"][0]


def variables_of(**details: Any) -> dict[str, Any]:
    return {one["name"]: one.get("value") for one in container_of(**details)["env"]}


names = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
overrides = st.fixed_dictionaries(
    {},
    optional={
        "taskId": names,
        "image": names,
        "slots": st.integers(1, 256),
        "resources": st.just({"requests": {"cpu": "1"}}),
        "nodeSelector": st.dictionaries(names, names),
        "tolerations": st.just([{"operator": "Exists"}]),
        "affinity": st.just({"nodeAffinity": {}}),
        "priorityClassName": names,
        "imagePullSecrets": st.just([{"name": "registry"}]),
        "env": st.lists(st.fixed_dictionaries({"name": names, "value": names})),
        "labels": st.dictionaries(names, names),
        "annotations": st.dictionaries(names, names),
    },
)


@given(overrides)
def test_no_override_touches_the_restrictions(spec: dict[str, Any]) -> None:
    pod = pod_of(**spec)["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }
    assert pod["volumes"] == [
        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
        {"name": "start-counter", "emptyDir": {"sizeLimit": "1Mi"}},
    ]
    assert container["volumeMounts"] == [
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "start-counter", "mountPath": "/var/lib/training-sandbox"},
    ]
    assert "command" not in container
    assert "args" not in container
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers", "hostUsers"}


@given(overrides)
def test_no_override_touches_what_the_operator_finds_its_pods_by(spec: dict[str, Any]) -> None:
    metadata = pod_of(**spec)["metadata"]
    assert metadata["name"] == "demo-0f1e2d3c"
    assert metadata["namespace"] == "research"
    assert (
        metadata["labels"].items()
        >= {
            "app.kubernetes.io/managed-by": "training-sandbox",
            "trainingsandbox.dev/instance": "demo",
            "trainingsandbox.dev/instance-uid": build.UID,
            "trainingsandbox.dev/env-type": "appworld",
        }.items()
    )
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "trainingsandbox.dev/v1alpha1",
            "kind": "TrainingInstance",
            "name": "demo",
            "uid": build.UID,
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]


def test_an_instance_without_overrides_runs_as_the_catalogue_says() -> None:
    container = container_of()
    assert container["image"] == "registry.example/appworld:1"
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["resources"] == {"requests": {}, "limits": {}}
    assert variables_of()["SANDBOX_SLOTS"] == "16"


def test_an_instance_may_override_what_the_design_lists() -> None:
    spec = {
        "nodeSelector": {"pool": "train"},
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "training",
        "imagePullSecrets": [{"name": "registry"}],
    }
    pod = pod_of(**spec, image="mine:2", resources={"limits": {"memory": "9Gi"}}, slots=3)
    assert {name: pod["spec"][name] for name in spec} == spec
    container = pod["spec"]["containers"][0]
    assert container["image"] == "mine:2"
    assert container["resources"] == {"limits": {"memory": "9Gi"}}
    assert {"name": "SANDBOX_SLOTS", "value": "3"} in container["env"]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("appworld", "Always"),
        ("appworld:latest", "Always"),
        ("registry.example:5000/appworld", "Always"),
        ("registry.example:5000/appworld:1", "IfNotPresent"),
        ("appworld@sha256:" + "0" * 64, "IfNotPresent"),
        ("registry.example/appworld:latest@sha256:" + "0" * 64, "IfNotPresent"),
    ],
)
def test_only_what_may_have_changed_is_pulled_again(image: str, policy: str) -> None:
    assert container_of(image=image)["imagePullPolicy"] == policy
    assert (
        container_of(environment=Environment.model_validate({"image": image}))["imagePullPolicy"]
        == policy
    )


def test_the_catalogue_may_say_when_to_pull() -> None:
    entry = Environment.model_validate({"image": "x:1", "imagePullPolicy": "Always"})
    assert container_of(environment=entry)["imagePullPolicy"] == "Always"


def test_without_a_limit_of_memory_the_catalogues_holds() -> None:
    entry = Environment.model_validate(
        {"image": "x:1", "resources": {"limits": {"cpu": "2", "memory": "6Gi"}}}
    )
    for resources, limits in (
        ({}, {"memory": "6Gi"}),
        ({"requests": {"memory": "1Gi"}, "limits": {"cpu": "9"}}, {"memory": "6Gi", "cpu": "9"}),
        ({"limits": {"memory": "9Gi"}}, {"memory": "9Gi"}),
    ):
        container = container_of(environment=entry, resources=resources)
        assert container["resources"]["limits"] == limits


def test_values_of_variables_are_taken_as_they_are() -> None:
    """Kubernetes makes ``$`` of ``$$``, and replaces ``$(NAME)``."""
    variables = variables_of(
        taskId="t1", params={"price": "$5"}, env=[{"name": "A", "value": "$(HOME) $$"}]
    )
    assert variables["A"] == "$$(HOME) $$$$"
    assert variables["SANDBOX_PARAMS"] == '{"price":"$$5"}'


def test_labels_and_annotations_of_the_instance_are_on_the_pod() -> None:
    metadata = pod_of(labels={"team": "rl"}, annotations={"note": "x"})["metadata"]
    assert metadata["labels"]["team"] == "rl"
    assert metadata["annotations"]["note"] == "x"


def test_the_autoscaler_is_told_to_leave_the_pod_where_it_is() -> None:
    annotations = pod_of()["metadata"]["annotations"]
    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


def test_the_servers_settings_are_those_of_its_contract() -> None:
    assert variables_of() == {
        "HOME": "/tmp",
        "SANDBOX_STATE_DIR": "/tmp/training-sandbox",
        "SANDBOX_STARTS_DIR": "/var/lib/training-sandbox",
        "SANDBOX_ENV_TYPE": "appworld",
        "SANDBOX_SLOTS": "16",
        "SANDBOX_AUTH": "off",
        "SANDBOX_POD_UID": None,
    }
    pod_uid = next(one for one in container_of()["env"] if one["name"] == "SANDBOX_POD_UID")
    assert pod_uid["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.uid"}}


def test_starts_are_counted_where_a_reboot_of_the_node_leaves_them() -> None:
    """A volume in memory is empty after one, while the pod goes on."""
    pod = pod_of()["spec"]
    folder = variables_of()["SANDBOX_STARTS_DIR"]
    mounts = pod["containers"][0]["volumeMounts"]
    (name,) = [one["name"] for one in mounts if one["mountPath"] == folder]
    (volume,) = [one for one in pod["volumes"] if one["name"] == name]
    assert "medium" not in volume["emptyDir"]


def test_which_environment_it_runs_is_left_to_the_image() -> None:
    assert "SANDBOX_ENVIRONMENT" not in variables_of(envType="appworld-large")


def test_a_bound_task_is_given_to_the_server_under_the_instances_name() -> None:
    variables = variables_of(taskId="82e2fac_1", params={"b": [1], "a": "x"})
    assert variables["SANDBOX_TASK_ID"] == "82e2fac_1"
    assert variables["SANDBOX_EPISODE_ID"] == "demo"
    assert variables["SANDBOX_PARAMS"] == '{"a":"x","b":[1]}'
    assert variables["SANDBOX_SLOTS"] == "1"


def test_an_open_server_is_restarted_and_a_bound_task_is_not() -> None:
    assert pod_of()["spec"]["restartPolicy"] == "Always"
    assert pod_of(taskId="t1")["spec"]["restartPolicy"] == "Never"


def test_of_equal_variables_the_instances_holds_but_never_over_the_operators() -> None:
    entry = Environment.model_validate(
        {
            "image": "x",
            "env": [
                {"name": "A", "value": "catalogue"},
                {"name": "B", "value": "catalogue"},
                {"name": "HOME", "value": "/root"},
                {"name": "SANDBOX_STEP_TIMEOUT_SECONDS", "value": "50"},
            ],
        }
    )
    variables = variables_of(environment=entry, env=[{"name": "B", "value": "instance"}])
    assert variables["A"] == "catalogue"
    assert variables["B"] == "instance"
    assert variables["HOME"] == "/tmp"
    assert variables["SANDBOX_STEP_TIMEOUT_SECONDS"] == "50"


def test_the_catalogue_may_mount_volumes_and_take_variables_from_elsewhere() -> None:
    source = {"fieldRef": {"fieldPath": "spec.nodeName"}}
    entry = Environment.model_validate(
        {
            "image": "x",
            "env": [{"name": "NODE", "valueFrom": source}],
            "volumes": [{"name": "world", "persistentVolumeClaim": {"claimName": "world"}}],
            "volumeMounts": [{"name": "world", "mountPath": "/opt/world", "readOnly": True}],
        }
    )
    pod = pod_of(environment=entry)["spec"]
    assert pod["volumes"][2:] == entry.volumes
    assert pod["containers"][0]["volumeMounts"][2:] == entry.volume_mounts
    assert {"name": "NODE", "valueFrom": source} in pod["containers"][0]["env"]


def test_booting_may_take_as_long_as_the_catalogue_says() -> None:
    probe = container_of()["startupProbe"]
    assert probe["httpGet"]["path"] == "/healthz"
    assert probe["periodSeconds"] * probe["failureThreshold"] == 60


def test_the_end_of_a_bound_task_is_seen_by_one_failed_readiness_probe() -> None:
    assert container_of(taskId="t1")["readinessProbe"]["failureThreshold"] == 1
    assert container_of()["readinessProbe"]["failureThreshold"] == 3


def test_liveness_is_patient() -> None:
    probe = container_of()["livenessProbe"]
    assert probe["httpGet"]["path"] == "/healthz"
    assert (probe["periodSeconds"], probe["timeoutSeconds"], probe["failureThreshold"]) == (
        10,
        5,
        3,
    )


def test_a_server_that_dies_without_a_word_is_explained_by_its_log() -> None:
    assert container_of()["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_lost_nodes_are_tolerated_for_30_seconds() -> None:
    seconds = {one["key"]: one["tolerationSeconds"] for one in pod_of()["spec"]["tolerations"]}
    assert seconds == {"node.kubernetes.io/not-ready": 30, "node.kubernetes.io/unreachable": 30}


def test_an_instance_may_tolerate_lost_nodes_for_longer() -> None:
    mine = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 600}
    tolerations = pod_of(tolerations=[mine])["spec"]["tolerations"]
    assert tolerations[0] == mine
    assert [one["key"] for one in tolerations[1:]] == ["node.kubernetes.io/not-ready"]


@pytest.mark.parametrize(("length", "is_oversized"), [(102_000, False), (103_000, True)])
def test_params_must_fit_into_one_environment_variable(length: int, is_oversized: bool) -> None:
    instance = build.instance(taskId="t1", params={"text": "x" * length})
    assert (oversized_params(instance) is not None) is is_oversized


def test_a_claim_clears_who_manages_which_field() -> None:
    pod = build.warm_pod_manifest(build.pool())
    pod["metadata"]["managedFields"] = [{"manager": "kubelet"}]
    assert apply_patch(pod, build_claim(build.instance(), resource_version=100))
    # https://kubernetes.io/docs/reference/using-api/server-side-apply/#clearing-managedfields
    assert pod["metadata"]["managedFields"] == [{}]
