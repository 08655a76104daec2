"""Why a connection failed, in the system's words."""

from __future__ import annotations

import os
import socket
from typing import cast

import httpcore


def root_cause(error: BaseException) -> str:
    """Return the message of the error at the bottom, which libraries wrap in vaguer ones."""
    deepest = error
    while cause := _next(deepest):
        deepest = cause
    if isinstance(deepest, socket.gaierror):
        return deepest.strerror or str(deepest)
    if isinstance(deepest, OSError) and deepest.errno:
        return os.strerror(deepest.errno)
    return str(deepest) or str(error) or type(deepest).__name__


def _next(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    if error.__cause__ is None and isinstance(error, httpcore.ConnectError):
        # httpcore hides the system's error so.
        return error.__context__
    return error.__cause__
