"""The reasons for which a sandbox never gets ready that are the caller's to mend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training_sandbox._exceptions import InvalidRequest, UnknownEnvironment, UnknownTask

if TYPE_CHECKING:
    from collections.abc import Mapping

_ERRORS: Mapping[str, type[InvalidRequest]] = {
    "UnknownEnvironment": UnknownEnvironment,
    "UnknownTask": UnknownTask,
    "InvalidTask": InvalidRequest,
    "ParamsTooLarge": InvalidRequest,
    "OverrideNotAllowed": InvalidRequest,
}


def callers_fault(reason: str, message: str) -> InvalidRequest | None:
    """Return the error for a reason that the operator or the server gives, if it is one."""
    error = _ERRORS.get(reason)
    return error(message) if error else None
