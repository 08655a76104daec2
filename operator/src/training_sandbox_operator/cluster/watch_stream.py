"""What a watch of the API server tells, line by line."""

import random
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiohttp

from training_sandbox_operator.cluster.errors import ExpiredError, UnavailableError
from training_sandbox_operator.cluster.json_text import decode

# Spread: those that began together do not end together.
_SECONDS = (50.0, 70.0)


class Change(NamedTuple):
    """What happened to an object.

    Attributes:
        kind: ADDED, MODIFIED, DELETED, or BOOKMARK, of which only the version counts.
        raw: the object.
    """

    kind: str
    raw: dict[str, Any]


def watch_query(since: int) -> dict[str, str]:
    """Return the parameters of a watch that begins after this version and lasts for a minute."""
    return {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": str(since),
        "timeoutSeconds": str(round(random.uniform(*_SECONDS))),  # noqa: S311 — not a secret
    }


async def changes(content: aiohttp.StreamReader) -> AsyncIterator[Change]:
    """Yield what the body of an answer tells.

    Raises:
        ExpiredError: the server cannot go on from where it was.
        UnavailableError: somebody else answers, or the answer ends in the middle.
    """
    rest = b""
    async for part in content.iter_any():
        # Lines may be of any length.
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield _change(line)


def _change(line: bytes) -> Change:
    try:
        event = decode(line)
        raw: dict[str, Any] = event["object"]
        kind: str = event["type"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnavailableError(0, "Unreadable", f"no event of a watch: {line[:100]!r}") from error
    if kind == "ERROR":
        message = raw.get("message", "the watch was ended")
        raise ExpiredError(raw.get("code", 0), raw.get("reason", "Unknown"), message)
    return Change(kind, raw)
