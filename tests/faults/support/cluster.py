"""The API server as the test itself uses it: directly, never through a proxy."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from benchmarks.control_plane import ControlPlane
from tests.faults.support.seen import Object

GROUP = "apis/trainingsandbox.dev/v1alpha1"
MERGE = "application/merge-patch+json"
_PATIENCE_SECONDS = 90
_ANSWER = aiohttp.ClientTimeout(total=20)
_STREAM = aiohttp.ClientTimeout(total=None, sock_connect=5)


class RefusedError(Exception):
    """The API server has refused a request."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


@dataclass(frozen=True)
class Event:
    """An event of a watch."""

    one: Object
    is_gone: bool = False


class Cluster:
    def __init__(self, plane: ControlPlane, http: aiohttp.ClientSession) -> None:
        self.plane = plane
        self.http = http
        self._headers = {"Authorization": f"Bearer {plane.token}"}

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | list[Any] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Raise RefusedError for an answer that is none, and OSError or so when there is none."""
        async with self.http.request(
            method,
            f"{self.plane.url}/{path}",
            data=None if body is None else json.dumps(body),
            headers={**self._headers, "Content-Type": content_type},
            ssl=False,
            timeout=_ANSWER,
        ) as answer:
            text = await answer.text()
            if not answer.ok:
                raise RefusedError(answer.status, text)
            return json.loads(text)

    async def items(self, path: str) -> list[Object]:
        return (await self.call("GET", path))["items"]

    async def get(self, path: str) -> Object | None:
        try:
            return await self.call("GET", path)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    async def delete(self, path: str, **options: Any) -> None:
        """Delete what may be gone already."""
        try:
            await self.call("DELETE", path, options)
        except RefusedError as error:
            if error.status not in {404, 409}:
                raise

    async def follow(self, path: str) -> AsyncIterator[Event]:
        """Yield what is there and what becomes of it, for ever, whatever the API server does."""
        known: dict[str, Object] = {}
        while True:
            try:
                listed = await self.call("GET", path)
                since = listed["metadata"]["resourceVersion"]
                present = {one["metadata"]["uid"]: one for one in listed["items"]}
                for uid in known.keys() - present.keys():
                    gone = known.pop(uid)
                    gone["metadata"]["resourceVersion"] = since
                    yield Event(gone, is_gone=True)
                for uid, one in present.items():
                    known[uid] = one
                    yield Event(one)
                async for event in self._follow_from(path, since):
                    uid = event.one["metadata"]["uid"]
                    if event.is_gone:
                        known.pop(uid, None)
                    else:
                        known[uid] = event.one
                    yield event
            except (aiohttp.ClientError, TimeoutError, OSError, RefusedError):
                await asyncio.sleep(0.2)

    async def _follow_from(self, path: str, since: str) -> AsyncIterator[Event]:
        """Yield events; returns when the API server has forgotten what came after the last one."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async for raw in self._watch(path, since):
                    if raw["type"] == "ERROR":
                        return
                    since = raw["object"]["metadata"]["resourceVersion"]
                    if raw["type"] != "BOOKMARK":
                        yield Event(raw["object"], is_gone=raw["type"] == "DELETED")
            await asyncio.sleep(0.1)

    async def _watch(self, path: str, since: str) -> AsyncIterator[Object]:
        query = f"watch=true&allowWatchBookmarks=true&resourceVersion={since}"
        async with self.http.get(
            f"{self.plane.url}/{path}?{query}", headers=self._headers, ssl=False, timeout=_STREAM
        ) as answer:
            if answer.status == 410:
                yield {"type": "ERROR"}
            if not answer.ok:
                return
            rest = b""
            async for part in answer.content.iter_any():
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    yield json.loads(line)


async def until(
    what: str, probe: Callable[[], Awaitable[str | None]], seconds: float = _PATIENCE_SECONDS
) -> None:
    """Wait until the probe has nothing to complain of.

    Raises:
        AssertionError: it had for too long, with its last complaint.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        complaint = await probe()
        if complaint is None:
            return
        assert loop.time() < deadline, f"not within {seconds:.0f} s: {what}: {complaint}"
        await asyncio.sleep(0.2)
