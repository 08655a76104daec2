"""The pod of an instance, built from the instance and its entry in the catalogue.

Whoever may create a TrainingInstance must not thereby be able to create a privileged pod: what an
instance overrides is a fixed list, and none of it touches the restrictions set here.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from training_sandbox_operator.model.catalogue import Environment
from training_sandbox_operator.model.instance import TrainingInstance
from training_sandbox_operator.model.names import (
    API_VERSION,
    CONTAINER,
    ENV_TYPE_LABEL,
    INSTANCE_LABEL,
    INSTANCE_UID_LABEL,
    KIND,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    PORT,
)

USER_ID = 10001
GRACE_SECONDS = 30
NODE_LOSS_SECONDS = 30
LARGEST_PARAMS = 100 * 1024
"""Bytes. Linux takes at most 128 KiB in one environment variable, MAX_ARG_STRLEN in execve(2)."""

_WRITABLE = "/tmp"  # noqa: S108 — the pod's own volume, which nobody else can write to
_STATE_DIR = f"{_WRITABLE}/training-sandbox"
_NODE_LOSS_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")

Manifest = dict[str, Any]


def build_pod(instance: TrainingInstance, environment: Environment) -> Manifest:
    """Return the manifest of the instance's pod."""
    spec = instance.spec
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": instance.pod_name,
            "namespace": instance.key.namespace,
            "labels": {
                **spec.get("labels", {}),
                MANAGED_BY_LABEL: MANAGED_BY,
                INSTANCE_LABEL: instance.key.name,
                INSTANCE_UID_LABEL: instance.uid,
                ENV_TYPE_LABEL: instance.env_type,
            },
            "annotations": {
                **spec.get("annotations", {}),
                # Moving the pod would lose its episodes: the cluster autoscaler must not.
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
            },
            "ownerReferences": [_owner_reference(instance)],
        },
        "spec": _pod_spec(instance, environment),
    }


def oversized_params(instance: TrainingInstance) -> int | None:
    """Return the bytes of the instance's params when they are too many, else None."""
    size = len(_params(instance).encode())
    return size if size > LARGEST_PARAMS else None


def _owner_reference(instance: TrainingInstance) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": instance.key.name,
        "uid": instance.uid,
        "controller": True,
        # Needs no right to set finalizers, and foreground deletion need not wait for the pod.
        "blockOwnerDeletion": False,
    }


def _pod_spec(instance: TrainingInstance, environment: Environment) -> Manifest:
    passed_on = ("nodeSelector", "affinity", "priorityClassName", "imagePullSecrets")
    return {
        # A restarted server is another incarnation; a bound task cannot be played twice.
        "restartPolicy": "Always" if instance.task_id is None else "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(instance, environment)],
        "volumes": [
            {
                "name": "tmp",
                "emptyDir": {"medium": "Memory", "sizeLimit": environment.tmp_size},
            },
            *environment.volumes,
        ],
        "tolerations": _tolerations(instance.spec.get("tolerations", ())),
        **{name: instance.spec[name] for name in passed_on if name in instance.spec},
    }


def _container(instance: TrainingInstance, environment: Environment) -> Manifest:
    spec = instance.spec
    return {
        "name": CONTAINER,
        "image": spec.get("image", environment.image),
        "imagePullPolicy": environment.image_pull_policy,
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "env": _environment_variables(instance, environment),
        "resources": spec.get("resources", environment.resources.model_dump()),
        "volumeMounts": [{"name": "tmp", "mountPath": _WRITABLE}, *environment.volume_mounts],
        "securityContext": {
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
        "terminationMessagePath": "/dev/termination-log",
        # A server that died without a word is explained by the end of its log.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        **_probes(instance, environment),
    }


def _probes(instance: TrainingInstance, environment: Environment) -> Manifest:
    """Return the probes: /healthz tells whether to restart, /readyz whether to send episodes."""
    return {
        "startupProbe": {
            "httpGet": {"path": "/healthz", "port": "http"},
            "periodSeconds": 1,
            "timeoutSeconds": 1,
            "failureThreshold": environment.startup_seconds,
        },
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": "http"},
            "periodSeconds": 1,
            "timeoutSeconds": 3,
            # The end of a bound task is seen by this probe; an open server may be slow once.
            "failureThreshold": 3 if instance.task_id is None else 1,
        },
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "http"},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
    }


def _environment_variables(instance: TrainingInstance, environment: Environment) -> list[Manifest]:
    """Return the catalogue's variables, the instance's and the operator's; the last one holds."""
    variables: dict[str, Manifest] = {}
    for variable in environment.env:
        variables[variable.name] = variable.to_api()
    for variable in instance.spec.get("env", ()):
        variables[variable["name"]] = {"name": variable["name"], "value": variable["value"]}
    for name, value in _settings(instance, environment).items():
        variables[name] = {"name": name, "value": value}
    variables["SANDBOX_POD_UID"] = {
        "name": "SANDBOX_POD_UID",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}},
    }
    return list(variables.values())


def _settings(instance: TrainingInstance, environment: Environment) -> Mapping[str, str]:
    settings = {
        "HOME": _WRITABLE,
        "SANDBOX_STATE_DIR": _STATE_DIR,
        "SANDBOX_ENV_TYPE": instance.env_type,
    }
    if instance.task_id is None:
        return {**settings, "SANDBOX_SLOTS": str(instance.spec.get("slots", environment.slots))}
    return {
        **settings,
        "SANDBOX_SLOTS": "1",
        "SANDBOX_TASK_ID": instance.task_id,
        "SANDBOX_EPISODE_ID": instance.key.name,
        "SANDBOX_PARAMS": _params(instance),
    }


def _params(instance: TrainingInstance) -> str:
    return json.dumps(instance.spec.get("params", {}), sort_keys=True, separators=(",", ":"))


def _tolerations(given: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the instance's tolerations, and short ones for lost nodes where it gives none."""
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
            for taint in _NODE_LOSS_TAINTS
            if taint not in named
        ),
    ]
