"""The feeds: what a list and a watch tell comes into the cache, whatever ends the watch."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from tests.operator import builders as build
from tests.operator.conftest import Loop
from tests.operator.fake_cluster import FakeCluster, Object, _refuse
from training_sandbox_operator.control import feeds
from training_sandbox_operator.model.names import Key

PODS = "/api/v1/namespaces/research/pods"
FORGOTTEN = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}


@dataclass
class ScriptedCluster(FakeCluster):
    """Every watch of pods is answered by the next of ``scripts``: events, or a status.

    ``since`` is from where each of them was asked for, ``lists`` how often pods were listed, of
    which after the first one so many are refused. Watches without a script tell nothing.
    """

    scripts: list[list[Object] | int] = field(default_factory=list)
    since: list[int] = field(default_factory=list)
    lists: int = 0
    refused_lists: int = 0
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        is_pods = request.path == PODS
        if request.query.get("watch") != "true":
            self.lists += is_pods and "continue" not in request.query
            if is_pods and 1 < self.lists <= 1 + self.refused_lists:
                return _refuse(503, "Refused", "not now")
            return await super()._list(request)
        script: list[Object] | int = []
        if is_pods:
            self.since.append(int(request.query["resourceVersion"]))
            if self.scripts:
                script = self.scripts.pop(0)
            else:
                self.is_over.set()
        if isinstance(script, int):
            return _refuse(script, "Refused", "not now")
        response = web.StreamResponse()
        await response.prepare(request)
        for event in script:
            await response.write(json.dumps(event).encode() + b"\n")
        if not script:
            await asyncio.Event().wait()
        return response


@pytest.fixture
async def cluster() -> ScriptedCluster:
    return ScriptedCluster()


@pytest.fixture
async def play(
    loop: Loop, cluster: ScriptedCluster, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Any]]:
    """List everything, and have the watches of pods tell this."""
    monkeypatch.setattr(feeds, "_LONGEST_PAUSE_SECONDS", 0.0)
    running: list[asyncio.Task[None]] = []

    async def play(*scripts: list[Object] | int) -> None:
        await loop.controller.synchronise()
        cluster.scripts = list(scripts)
        running.append(asyncio.create_task(loop.controller._feeds.run()))
        await asyncio.wait_for(cluster.is_over.wait(), 30)

    yield play
    for task in running:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(probe: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not probe():  # noqa: ASYNC110 — what is probed has no event
            await asyncio.sleep(0.01)


def pod(name: str, version: int) -> Object:
    manifest = build.pod_manifest(build.instance(), uid=f"{name}-uid", resource_version=version)
    manifest["metadata"]["name"] = name
    return manifest


def stored(cluster: FakeCluster, name: str) -> Object:
    """Have a pod in the cluster."""
    return cluster._store("pods", pod(name, 0))


def told(kind: str, one: Object) -> Object:
    return {"type": kind, "object": one}


def names(loop: Loop) -> list[str]:
    return sorted(one.key.name for one in loop.controller._cache.pods)


async def test_what_happens_after_the_list_is_followed(
    play: Callable[..., Any], loop: Loop, cluster: ScriptedCluster
) -> None:
    gone = stored(cluster, "listed")
    await play([told("ADDED", pod("a", 201)), told("ADDED", pod("b", 202)), told("DELETED", gone)])
    assert names(loop) == ["a", "b"]


async def test_a_watch_goes_on_from_the_last_version_that_was_told(
    play: Callable[..., Any], cluster: ScriptedCluster
) -> None:
    bookmark = told("BOOKMARK", {"metadata": {"resourceVersion": "300"}})
    await play([told("ADDED", pod("a", 201))], [bookmark])
    assert cluster.since[1:] == [201, 300]
    assert cluster.lists == 1


async def test_when_the_server_has_forgotten_since_when_everything_is_listed_anew(
    play: Callable[..., Any], loop: Loop, cluster: ScriptedCluster
) -> None:
    stored(cluster, "there")
    await play([told("ADDED", pod("gone-unseen", 2)), FORGOTTEN])
    assert names(loop) == ["there"]
    assert cluster.lists == 2


async def test_a_version_that_is_refused_as_too_old_is_listed_anew(
    play: Callable[..., Any], cluster: ScriptedCluster
) -> None:
    await play(410)
    assert cluster.lists == 2


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_a_watch_that_is_refused_is_tried_again_from_where_it_was(
    play: Callable[..., Any], loop: Loop, cluster: ScriptedCluster, status: int
) -> None:
    await play([told("ADDED", pod("a", 201))], status, status, [told("ADDED", pod("b", 202))])
    assert cluster.since[1:] == [201, 201, 201, 202]
    assert cluster.lists == 1
    assert names(loop) == ["a", "b"]


async def test_a_list_that_fails_is_tried_again(
    play: Callable[..., Any], loop: Loop, cluster: ScriptedCluster
) -> None:
    stored(cluster, "there")
    cluster.refused_lists = 3
    await play([told("ADDED", pod("gone-unseen", 2)), FORGOTTEN])
    assert names(loop) == ["there"]
    assert cluster.lists == 5


async def test_an_object_that_cannot_be_read_hides_no_other(
    play: Callable[..., Any], loop: Loop
) -> None:
    broken = pod("broken", 201)
    broken["metadata"]["ownerReferences"] = 7
    await play([told("ADDED", broken), told("ADDED", pod("a", 202))])
    assert names(loop) == ["a"]


async def test_lines_of_any_length_are_read(play: Callable[..., Any], loop: Loop) -> None:
    long = pod("long", 201)
    long["metadata"]["annotations"] = {"long": "x" * 2**20}
    await play([told("ADDED", long), told("ADDED", pod("a", 202))])
    assert names(loop) == ["a", "long"]


async def test_what_a_watch_has_told_to_be_gone_is_not_brought_back_by_a_late_answer(
    play: Callable[..., Any], loop: Loop, cluster: ScriptedCluster
) -> None:
    late = stored(cluster, "late")
    await play([told("DELETED", late)])
    loop.controller.observe_pod("MODIFIED", late)
    assert names(loop) == []
    instance = cluster.instance()
    loop.controller.observe_instance("DELETED", instance)
    loop.controller.observe_instance("MODIFIED", instance)
    assert (
        loop.controller._cache.situation(Key("research", "demo"), build.CATALOGUE).instance is None
    )


async def test_what_went_while_somebody_else_listed_is_found_gone(
    play: Callable[..., Any],
    loop: Loop,
    cluster: ScriptedCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "_SETTLING_SECONDS", 0.0)
    pool = cluster.pool()
    await play()
    assert loop.controller.vital_signs()["pools"] == 1
    cluster.remove("trainingpools", pool["metadata"]["name"])
    loop.controller.compare_soon()
    await until(lambda: not loop.controller.vital_signs()["pools"])
    assert cluster.lists == 1, "pods have a watch of their own, which misses nothing"


async def test_a_version_that_is_known_is_not_read_again(
    play: Callable[..., Any], loop: Loop, cluster: ScriptedCluster
) -> None:
    one = stored(cluster, "there")
    await loop.controller.synchronise()
    one["metadata"]["ownerReferences"] = "would be complained about"
    await play([FORGOTTEN])
    assert cluster.lists == 3
    assert names(loop) == ["there"]


async def test_what_is_no_event_of_a_watch_ends_that_watch_only(
    play: Callable[..., Any], loop: Loop
) -> None:
    await play([{"hello": "world"}], [told("ADDED", pod("a", 100))])
    await until(lambda: names(loop) == ["a"])
