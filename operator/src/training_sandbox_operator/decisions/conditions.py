"""Conditions, as the conventions of the Kubernetes API want them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from training_sandbox_operator.model.timestamps import format_timestamp

_LONGEST_MESSAGE = 32768
"""As in the CRDs: a longer one would have the whole status refused."""


def renew_condition(
    before: Mapping[str, Any],
    *,
    kind: str,
    is_true: bool,
    reason: str,
    message: str,
    now: datetime,
) -> dict[str, Any]:
    """Return a condition whose transition time moves only when its status does."""
    status = "True" if is_true else "False"
    since = before["lastTransitionTime"] if before.get("status") == status else None
    return {
        "type": kind,
        "status": status,
        "reason": str(reason),
        "message": message[:_LONGEST_MESSAGE],
        "lastTransitionTime": since or format_timestamp(now),
    }
