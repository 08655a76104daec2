"""The certificate authorities that servers are checked by."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import ssl


@cache
def tls_context() -> ssl.SSLContext:
    """Return the process' context: reading the authorities takes 50 ms, which clients share."""
    return httpx.create_ssl_context()
