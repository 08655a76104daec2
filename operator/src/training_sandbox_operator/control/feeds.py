"""What the cache is fed with: a list of each kind of objects, and what happens from there on.

Pools are watched by kopf, which tells nothing of what was deleted while it listed anew: after that,
they are compared with a list. Of what there are thousands, instances, pods and Secrets, the watches
are here, at a third of the processor time. A watch tells of every change after a version, until the
API server has forgotten that version: then everything is listed anew, and what is not in the list
is gone. A watch that tells nothing is no harm: the server bookmarks it and ends it after a minute,
and one that it does not end is given up soon after.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from training_sandbox_operator.cluster.api_server import Page
from training_sandbox_operator.cluster.errors import ApiError, ExpiredError
from training_sandbox_operator.cluster.watch_stream import Change
from training_sandbox_operator.model.names import JsonObject, Key

_log = logging.getLogger(__name__)

_BOOKMARK = "BOOKMARK"
# Nothing else is known to be missed by watches; a list of 10,000 costs a few seconds of CPU.
_PERIOD_SECONDS = 600.0
# After kopf has listed anew; its list tells of each pool by itself.
_SETTLING_SECONDS = 40.0
_JITTER = 0.1
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


class Known(Protocol):
    """An object of the cache."""

    @property
    def key(self) -> Key: ...  # noqa: D102
    @property
    def uid(self) -> str: ...  # noqa: D102
    @property
    def resource_version(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of objects.

    Attributes:
        name: in the plural, for the log.
        list: yields all objects of a namespace; None stands for all namespaces.
        watch: yields the changes of them after a version, and returns when the server ends it;
            None when somebody else watches them.
        observe: takes in what happened to an object (None for a listed one), and the object.
        known: returns the objects that the cache has.
        remove: takes in that an object is gone.
    """

    name: str
    list: Callable[[str | None], AsyncGenerator[Page]]
    watch: Callable[[str | None, int], AsyncIterator[Change]] | None
    observe: Callable[[str | None, JsonObject], None]
    known: Callable[[], Iterable[Known]]
    remove: Callable[[Key, str], None]


class Feed:
    """Feeds the cache with one kind of objects.

    Args:
        source: the kind.
        namespace: whose objects; None stands for all namespaces.
    """

    def __init__(self, source: Source, namespace: str | None) -> None:
        self._source = source
        self._namespace = namespace
        self._one_list_at_a_time = asyncio.Lock()
        self._version = 0
        self._is_outdated = True

    async def synchronise(self) -> None:
        """Make the cache agree with the cluster.

        Raises:
            ApiError: the list cannot be had.
        """
        # Of two lists, the later would find gone what a page of the earlier then brings back.
        async with self._one_list_at_a_time:
            await self._synchronise()

    async def _synchronise(self) -> None:
        listed: set[str] = set()
        as_of = 0
        versions = {one.uid: one.resource_version for one in self._source.known()}
        async with contextlib.aclosing(self._source.list(self._namespace)) as pages:
            async for page in pages:
                as_of = page.resource_version
                for raw in page.items:
                    metadata = raw["metadata"]
                    listed.add(metadata["uid"])
                    # Nearly all are as they were, and to read an object takes long.
                    if versions.get(metadata["uid"]) != int(metadata["resourceVersion"]):
                        self._observe(None, raw)
        for one in list(self._source.known()):
            is_elsewhere = self._namespace is not None and one.key.namespace != self._namespace
            is_newer = one.resource_version > as_of
            if not is_elsewhere and not is_newer and one.uid not in listed:
                self._source.remove(one.key, one.uid)
        # A watch that runs meanwhile may have come further.
        self._version = as_of if self._is_outdated else max(self._version, as_of)
        self._is_outdated = False

    @property
    def is_watched_elsewhere(self) -> bool:
        """Whether somebody else tells of the changes."""
        return self._source.watch is None

    async def run(self) -> None:
        """Follow the changes for ever, whatever the API server answers."""
        watch = self._source.watch
        if watch is None:
            return
        failures = 0
        while True:
            asked_pause, told = 0.0, False
            try:
                if self._is_outdated:
                    await self.synchronise()
                async for change in watch(self._namespace, self._version):
                    told = True
                    self._take_in(change)
                # Its time is over; one that told nothing may have been very short.
                failures = 0
            except ExpiredError as error:
                _log.info("%s are listed anew: %s", self._source.name, error)
                self._is_outdated = True
            except ApiError as error:
                _log.warning("%s cannot be watched: %s", self._source.name, error)
                asked_pause = error.retry_after or 0.0
            failures = 0 if told else failures + 1
            await asyncio.sleep(max(asked_pause, _pause(failures)))

    def _take_in(self, change: Change) -> None:
        if change.kind != _BOOKMARK:
            self._observe(change.kind, change.raw)
        self._version = max(self._version, int(change.raw["metadata"]["resourceVersion"]))

    def _observe(self, kind: str | None, raw: JsonObject) -> None:
        try:
            self._source.observe(kind, raw)
        except Exception:  # noqa: BLE001
            # A fault of this program must not hide the other objects.
            _log.exception("one of the %s cannot be read", self._source.name)


class Feeds:
    """Feeds the cache with everything.

    Args:
        sources: the kinds of objects, in the order in which they are listed.
        namespaces: what is read; None stands for all namespaces.
    """

    def __init__(self, sources: Iterable[Source], namespaces: tuple[str, ...] | None) -> None:
        kinds = list(sources)
        self._feeds = [
            Feed(source, namespace) for namespace in namespaces or (None,) for source in kinds
        ]
        self._was_listed_elsewhere = asyncio.Event()

    async def synchronise(self) -> None:
        """Make the cache agree with the cluster, one kind after the other.

        Raises:
            ApiError: a list cannot be had.
        """
        for feed in self._feeds:
            await feed.synchronise()

    async def run(self) -> None:
        """Follow all changes for ever, and list everything now and then."""
        async with asyncio.TaskGroup() as tasks:
            for feed in self._feeds:
                tasks.create_task(feed.run())
            tasks.create_task(self._compare())

    def compare_soon(self) -> None:
        """List what is watched elsewhere within a minute: something may have gone unseen."""
        self._was_listed_elsewhere.set()

    async def _compare(self) -> None:
        while True:
            spread = 1 + random.uniform(-_JITTER, _JITTER)  # noqa: S311 — not a secret
            doubtful = self._feeds
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PERIOD_SECONDS * spread):
                    await self._was_listed_elsewhere.wait()
                await asyncio.sleep(_SETTLING_SECONDS * spread)
                doubtful = [feed for feed in self._feeds if feed.is_watched_elsewhere]
            self._was_listed_elsewhere.clear()
            try:
                for feed in doubtful:
                    await feed.synchronise()
            except ApiError as error:
                _log.warning("the cluster was not listed: %s", error)
                self._was_listed_elsewhere.set()


def _pause(failures: int) -> float:
    """Return the seconds to wait; after failures they are spread, for there are other watchers."""
    if not failures:
        return 0.0
    longest = min(_FIRST_PAUSE_SECONDS * 2 ** min(failures, 16), _LONGEST_PAUSE_SECONDS)
    return random.uniform(longest / 2, longest)  # noqa: S311 — not a secret
