"""The TrainingInstance: what is asked of the operator, and what it says back. Pure."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from training_sandbox._json import JsonObject, as_list, as_object, as_text, dig, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training_sandbox._types import Overrides

GROUP = "trainingsandbox.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "TrainingInstance"
PLURAL = "traininginstances"
PORT = 8000

CREATION_TOKEN = f"{GROUP}/creation-token"
"""Annotation: which call created the object; tells our own, its answer lost, from another's."""

_SPEC_FIELDS: Mapping[str, str] = {
    "slots": "slots",
    "image": "image",
    "resources": "resources",
    "node_selector": "nodeSelector",
    "tolerations": "tolerations",
    "affinity": "affinity",
    "priority_class_name": "priorityClassName",
    "image_pull_secrets": "imagePullSecrets",
    "env": "env",
    "labels": "labels",
    "annotations": "annotations",
    "ttl_seconds": "ttlSeconds",
    "idle_timeout_seconds": "idleTimeoutSeconds",
    "ttl_seconds_after_finished": "ttlSecondsAfterFinished",
    "retain_failed": "retainFailed",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of an object's status."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Instance:
    """A TrainingInstance as the API shows it. Times are RFC 3339; empty where not set."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    creation_token: str
    created_at: str
    deleting: bool
    env_type: str
    task_id: str
    params: JsonObject
    phase: str
    conditions: tuple[Condition, ...]
    pod_name: str
    endpoint: str
    incarnation: str
    token_secret: str
    expires_at: str

    def condition(self, kind: str) -> Condition:
        """Return the condition of a type; one of status Unknown when there is none yet."""
        for condition in self.conditions:
            if condition.type == kind:
                return condition
        return Condition(kind, "Unknown", "", "")


def new_name(env_type: str) -> str:
    """Return a name that nobody uses: ``<environment>-<random>``, valid for Kubernetes."""
    stem = re.sub(r"[^a-z0-9]+", "-", env_type.lower()).strip("-")[:40] or "instance"
    return f"{stem}-{secrets.token_hex(4)}"


def check_overrides(overrides: Mapping[str, object]) -> Overrides:
    """Return the overrides that are set.

    Raises:
        TypeError: a name is not one of Overrides'.
    """
    for name in overrides:
        if name not in _SPEC_FIELDS:
            raise TypeError(
                f"TrainingSandbox() got an unexpected keyword argument {name!r}; "
                f"overrides are {', '.join(_SPEC_FIELDS)}"
            )
    return cast(
        "Overrides", {name: value for name, value in overrides.items() if value is not None}
    )


def manifest(
    name: str,
    env_type: str,
    *,
    task_id: str | None,
    params: Mapping[str, object] | None,
    overrides: Overrides,
) -> JsonObject:
    """Return the object to create. The API checks the values and fills in defaults."""
    spec: JsonObject = {"envType": env_type}
    if task_id is not None:
        spec["taskId"] = task_id
    if params:
        spec["params"] = plain(params)
    for option, value in overrides.items():
        if value is not None:
            spec[_SPEC_FIELDS[option]] = _spec_value(option, value)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "annotations": {CREATION_TOKEN: secrets.token_hex(8)}},
        "spec": spec,
    }


def _spec_value(option: str, value: object) -> object:
    copy = plain(value)
    if option == "env":
        return [{"name": name, "value": str(item)} for name, item in as_object(copy).items()]
    if option == "image_pull_secrets":
        return [{"name": item} for item in as_list(copy)]
    return copy


def read_instance(resource: object) -> Instance:
    """Read a TrainingInstance of the API; fields that are not set come out empty."""

    def text(*path: str) -> str:
        return as_text(dig(resource, *path))

    conditions = (as_object(item) for item in as_list(dig(resource, "status", "conditions")))
    return Instance(
        name=text("metadata", "name"),
        namespace=text("metadata", "namespace"),
        uid=text("metadata", "uid"),
        resource_version=text("metadata", "resourceVersion"),
        creation_token=text("metadata", "annotations", CREATION_TOKEN),
        created_at=text("metadata", "creationTimestamp"),
        deleting=bool(text("metadata", "deletionTimestamp")),
        env_type=text("spec", "envType"),
        task_id=text("spec", "taskId"),
        params=as_object(dig(resource, "spec", "params")),
        phase=text("status", "phase"),
        conditions=tuple(
            Condition(
                as_text(item.get("type")),
                as_text(item.get("status")),
                as_text(item.get("reason")),
                as_text(item.get("message")),
            )
            for item in conditions
        ),
        pod_name=text("status", "podName"),
        endpoint=text("status", "endpoint"),
        incarnation=text("status", "incarnation"),
        token_secret=text("status", "tokenSecret"),
        expires_at=text("status", "expiresAt"),
    )
