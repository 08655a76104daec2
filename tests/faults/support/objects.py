"""What objects of the API server tell."""

from __future__ import annotations

import base64

from tests.faults.support.seen import Object


def is_ready(pod: Object) -> bool:
    """Whether a pod's condition Ready is true."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


def token_of(secret: Object) -> str:
    """The token that a Secret holds."""
    return base64.b64decode(secret["data"]["token"]).decode()
