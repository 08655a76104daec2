"""The pod of an instance, or of a pool, built from its spec and its entry in the catalogue.

Whoever may create a TrainingInstance or a TrainingPool must not thereby be able to create a
privileged pod: what these override is a fixed list, and none of it touches the restrictions set
here.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from training_sandbox_operator.decisions.pod_placement import placement
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
    POOL_KIND,
    POOL_LABEL,
    PORT,
    PUBLIC_KEY_VARIABLE,
    TEMPLATE_LABEL,
    Key,
    warm_pod_name,
)
from training_sandbox_operator.model.pool import TrainingPool

USER_ID = 10001
GRACE_SECONDS = 30
LARGEST_PARAMS = 100 * 1024
"""Bytes. Linux takes at most 128 KiB in one environment variable, MAX_ARG_STRLEN in execve(2)."""

_WRITABLE = "/tmp"  # noqa: S108 — the pod's own volume, which nobody else can write to
_STATE_DIR = f"{_WRITABLE}/training-sandbox"
# On the node's disk: a reboot of the node empties what is in memory, and the pod goes on.
_STARTS_DIR = "/var/lib/training-sandbox"

_SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"

Manifest = dict[str, Any]


def build_pod(
    instance: TrainingInstance,
    environment: Environment,
    pool: TrainingPool | None = None,
    public_key: str | None = None,
) -> Manifest:
    """Return the manifest of the instance's pod; with a pool, as the pool would have it.

    The server checks tokens by the public key; without one it serves whoever reaches it.
    """
    spec = instance.spec if pool is None else pool.spec
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": instance.pod_name,
            "namespace": instance.key.namespace,
            "labels": {**_labels(spec), **_labels_of_owner(instance)},
            # Moving the pod would lose its episodes: the cluster autoscaler must not.
            "annotations": {**spec.get("annotations", {}), _SAFE_TO_EVICT: "false"},
            "ownerReferences": [owner_reference(KIND, instance.key, instance.uid)],
        },
        "spec": _pod_spec(spec, environment, public_key, _binding(instance)),
    }


def build_warm_pod(
    pool: TrainingPool, environment: Environment, number: int, public_key: str | None = None
) -> Manifest:
    """Return the manifest of the pool's pod with this number."""
    manifest = _warm_pod(pool, environment, public_key)
    metadata = manifest["metadata"]
    metadata["labels"][TEMPLATE_LABEL] = _hash(manifest)
    metadata["name"] = warm_pod_name(pool.key.name, pool.uid, number)
    return manifest


def template_hash(
    pool: TrainingPool, environment: Environment, public_key: str | None = None
) -> str:
    """Return what tells pods of the present template from earlier ones."""
    return _hash(_warm_pod(pool, environment, public_key))


def build_claim(instance: TrainingInstance, resource_version: int) -> list[Manifest]:
    """Return the JSON patch that makes a warm pod the instance's, if it is in this version."""
    labels = [
        {"op": "add", "path": f"/metadata/labels/{_escaped(label)}", "value": value}
        for label, value in _labels_of_owner(instance).items()
    ]
    return [
        # To replace the version by the one that is meant makes the server answer 409 when it is
        # another one: then somebody else has claimed the pod, or it is being deleted.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": str(resource_version)},
        {
            "op": "replace",
            "path": "/metadata/ownerReferences",
            "value": [owner_reference(KIND, instance.key, instance.uid)],
        },
        *labels,
        {
            "op": "add",
            "path": f"/metadata/annotations/{_escaped(_SAFE_TO_EVICT)}",
            "value": "false",
        },
        # Nobody applies these pods. To tell whose each field is costs the API server a third of the
        # claim, and half of what everybody who watches pods is told.
        # https://kubernetes.io/docs/reference/using-api/server-side-apply/#clearing-managedfields
        {"op": "add", "path": "/metadata/managedFields", "value": [{}]},
    ]


def _warm_pod(pool: TrainingPool, environment: Environment, public_key: str | None) -> Manifest:
    spec = pool.spec
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": pool.key.namespace,
            "labels": {**_labels(spec), POOL_LABEL: pool.key.name},
            "annotations": {**spec.get("annotations", {}), _SAFE_TO_EVICT: "true"},
            "ownerReferences": [owner_reference(POOL_KIND, pool.key, pool.uid)],
        },
        "spec": _pod_spec(spec, environment, public_key, {}, spread_with=pool.key.name),
    }


def oversized_params(instance: TrainingInstance) -> int | None:
    """Return the bytes of the instance's params when they are too many, else None."""
    size = len(_params(instance).encode())
    return size if size > LARGEST_PARAMS else None


def _hash(manifest: Manifest) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()[:10]


def _escaped(key: str) -> str:
    """Return a key as a part of a JSON pointer, RFC 6901."""
    return key.replace("~", "~0").replace("/", "~1")


def _labels(spec: Mapping[str, Any]) -> Manifest:
    given: Manifest = spec.get("labels", {})
    return {**given, MANAGED_BY_LABEL: MANAGED_BY, ENV_TYPE_LABEL: spec.get("envType", "")}


def _labels_of_owner(instance: TrainingInstance) -> Mapping[str, str]:
    return {INSTANCE_LABEL: instance.key.name, INSTANCE_UID_LABEL: instance.uid}


def owner_reference(kind: str, key: Key, uid: str) -> Manifest:
    """Return the reference of what an instance or a pool owns, and is deleted with."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": key.name,
        "uid": uid,
        "controller": True,
        # Needs no right to set finalizers, and foreground deletion need not wait for the pod.
        "blockOwnerDeletion": False,
    }


def _pod_spec(
    spec: Mapping[str, Any],
    environment: Environment,
    public_key: str | None,
    binding: Mapping[str, str],
    spread_with: str | None = None,
) -> Manifest:
    """Return the pod's spec.

    Args:
        spec: of the instance or the pool.
        environment: the catalogue's entry.
        public_key: what the server checks tokens by; None for a server that wants none.
        binding: the variables of the bound task, none for an open server.
        spread_with: the pool whose pods count where the spec spreads them.
    """
    return {
        # A restarted server is another incarnation; a bound task cannot be played twice.
        "restartPolicy": "Never" if binding else "Always",
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
        "containers": [_container(spec, environment, public_key, binding)],
        "volumes": [
            {
                "name": "tmp",
                "emptyDir": {"medium": "Memory", "sizeLimit": environment.tmp_size},
            },
            {"name": "start-counter", "emptyDir": {"sizeLimit": "1Mi"}},
            *environment.volumes,
        ],
        **_pull_secrets(spec, environment),
        **placement(spec, environment, spread_with),
    }


def _pull_secrets(spec: Mapping[str, Any], environment: Environment) -> Manifest:
    given = [one.model_dump() for one in environment.image_pull_secrets]
    names = {one["name"] for one in given}
    mine = [one for one in spec.get("imagePullSecrets", ()) if one["name"] not in names]
    return {"imagePullSecrets": [*given, *mine]} if given or mine else {}


def _container(
    spec: Mapping[str, Any],
    environment: Environment,
    public_key: str | None,
    binding: Mapping[str, str],
) -> Manifest:
    image: str = spec.get("image", environment.image)
    return {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": environment.image_pull_policy or _pull_policy(image),
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "env": _environment_variables(spec, environment, public_key, binding),
        "resources": _resources(spec.get("resources"), environment),
        "volumeMounts": [
            {"name": "tmp", "mountPath": _WRITABLE},
            {"name": "start-counter", "mountPath": _STARTS_DIR},
            *environment.volume_mounts,
        ],
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
        **_probes(environment, is_bound=bool(binding)),
    }


def _pull_policy(image: str) -> str:
    """Return what fits the image: a digest and a tag of a version never mean another one later."""
    name = image.rpartition("/")[2]
    moves = "@" not in name and name.partition(":")[2] in {"", "latest"}
    return "Always" if moves else "IfNotPresent"


def _resources(given: Manifest | None, environment: Environment) -> Manifest:
    """Return the given resources; without a limit of memory the catalogue's holds.

    A server without one could take all of its node's.
    """
    catalogues = environment.resources.model_dump()
    if given is None:
        return catalogues
    memory = {name: value for name, value in catalogues["limits"].items() if name == "memory"}
    return {**given, "limits": {**memory, **given.get("limits", {})}} if memory else given


def _probes(environment: Environment, *, is_bound: bool) -> Manifest:
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
            "failureThreshold": 1 if is_bound else 3,
        },
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "http"},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
    }


def _environment_variables(
    spec: Mapping[str, Any],
    environment: Environment,
    public_key: str | None,
    binding: Mapping[str, str],
) -> list[Manifest]:
    """Return the catalogue's variables, the spec's and the operator's; the last one holds."""
    variables: dict[str, Manifest] = {}
    for variable in environment.env:
        variables[variable.name] = variable.to_api()
    for variable in spec.get("env", ()):
        variables[variable["name"]] = _plain(variable["name"], variable["value"])
    settings = {**_settings(spec, environment, binding), **_authentication(public_key)}
    for name, value in settings.items():
        variables[name] = _plain(name, value)
    variables["SANDBOX_POD_UID"] = {
        "name": "SANDBOX_POD_UID",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}},
    }
    return list(variables.values())


def _plain(name: str, value: str) -> Manifest:
    """Return a variable whose value is taken as it is: else ``$(NAME)`` in it is replaced."""
    return {"name": name, "value": value.replace("$", "$$")}


def _settings(
    spec: Mapping[str, Any], environment: Environment, binding: Mapping[str, str]
) -> Mapping[str, str]:
    return {
        "HOME": _WRITABLE,
        "SANDBOX_STATE_DIR": _STATE_DIR,
        "SANDBOX_STARTS_DIR": _STARTS_DIR,
        "SANDBOX_ENV_TYPE": spec.get("envType", ""),
        "SANDBOX_SLOTS": str(spec.get("slots", environment.slots)),
        **binding,
    }


def _authentication(public_key: str | None) -> Mapping[str, str]:
    if public_key is None:
        return {"SANDBOX_AUTH": "off"}
    return {"SANDBOX_AUTH": "token", PUBLIC_KEY_VARIABLE: public_key}


def _binding(instance: TrainingInstance) -> Mapping[str, str]:
    """Return the variables that make the server open the instance's task at start."""
    if instance.task_id is None:
        return {}
    return {
        "SANDBOX_SLOTS": "1",
        "SANDBOX_TASK_ID": instance.task_id,
        "SANDBOX_EPISODE_ID": instance.key.name,
        "SANDBOX_PARAMS": _params(instance),
    }


def _params(instance: TrainingInstance) -> str:
    return json.dumps(instance.spec.get("params", {}), sort_keys=True, separators=(",", ":"))
