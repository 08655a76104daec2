"""What a pod that is made or claimed tells the API server: who led when the write was sent.

Nobody else can tell how late a write is that a network has held up. The chart's
ValidatingAdmissionPolicy compares the mark with the OperatorLeader, which a leader writes before
anything else, and has a former leader's write refused.
Names of pods are derived, and other writes say which object in which version they mean; but a claim
of a pod that nobody has touched, and a pod that the next leader has no need of, look right at any
time. https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from collections.abc import Sequence

from training_sandbox_operator.model.names import GROUP, JsonObject

_CREATED_BY = f"{GROUP}/created-by"
_CLAIMED_BY = f"{GROUP}/claimed-by"
_POLICY = f"leader.{GROUP}"


def mark_creation(manifest: JsonObject, leader: str) -> JsonObject:
    """Return the manifest of a pod that tells who makes it."""
    metadata: JsonObject = manifest["metadata"]
    annotations: JsonObject = metadata.get("annotations") or {}
    marked = {**annotations, _CREATED_BY: leader}
    return {**manifest, "metadata": {**metadata, "annotations": marked}}


def mark_claim(patch: Sequence[JsonObject], leader: str) -> Sequence[JsonObject]:
    """Return the JSON patch of a pod that has annotations, so that it tells who claims the pod."""
    path = "/metadata/annotations/" + _CLAIMED_BY.replace("/", "~1")
    return [*patch, {"op": "add", "path": path, "value": leader}]


def is_refused_by_mark(message: str) -> bool:
    """Return whether this is how the API server refuses a write for its mark."""
    return "ValidatingAdmissionPolicy '" in message and f".{_POLICY}'" in message
