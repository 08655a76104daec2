"""How much of what a user wrote is kept.

The API server takes objects of more than a megabyte, which as Python's objects are thirty: a dozen
of one user's would end the operator, and its next life too.
"""

import json

from training_sandbox_operator.model.names import JsonObject

LARGEST_SPEC = 256 * 1024
_KEPT = {"poolRef"}


def bounded_spec(spec: JsonObject) -> tuple[JsonObject, int | None]:
    """Return what is kept of a spec, and its bytes as JSON if that is not all of it.

    Of one that is too large the numbers and words are kept: how long to live, and where.
    """
    size = len(json.dumps(spec))
    if size <= LARGEST_SPEC:
        return spec, None
    return {
        name: value
        for name, value in spec.items()
        if name in _KEPT or not isinstance(value, dict | list)
    }, size
