"""An API server for specifications of the loop: enough of one to be worth obeying.

It speaks HTTP, counts resource versions, keeps names unique, and holds to preconditions. It has no
kubelet, no garbage collector and no watch: specifications say what happens to the objects.
"""

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from tests.operator import builders as build
from training_sandbox_operator.model.timestamps import format_timestamp

GROUP_PATH = "/apis/trainingsandbox.dev/v1alpha1"
Object = dict[str, Any]


@dataclass
class Failure:
    """What the next requests of a method are answered with instead."""

    method: str
    path: str
    status: int
    times: int
    message: str = "made to fail"
    after_doing_it: bool = False
    retry_after: int | None = None


@dataclass
class FakeCluster:
    """Objects by kind, namespace and name; ``writes`` is what was asked of them.

    ``told_whole`` has kind and name of those of which more than their metadata was told; ``now``
    is when pods are made.
    """

    objects: dict[tuple[str, str, str], Object] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    told_whole: set[tuple[str, str]] = field(default_factory=set)
    status_written: asyncio.Event = field(default_factory=asyncio.Event)
    versions: Any = field(default_factory=lambda: itertools.count(100))
    uids: Any = field(default_factory=lambda: itertools.count(1))
    now: Callable[[], datetime] = lambda: build.CREATED

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._fail])
        for path in ("/api/v1", GROUP_PATH):
            app.router.add_get(f"{path}/{{kind}}", self._list)
            app.router.add_get(f"{path}/namespaces/{{namespace}}/{{kind}}", self._list)
            app.router.add_post(f"{path}/namespaces/{{namespace}}/{{kind}}", self._create)
            one = f"{path}/namespaces/{{namespace}}/{{kind}}/{{name}}"
            app.router.add_get(one, self._get)
            app.router.add_delete(one, self._delete)
            app.router.add_patch(one, self._patch)
            app.router.add_patch(f"{one}/status", self._patch_status)
        return app

    def instance(self, name: str = "demo", **spec: Any) -> Object:
        """Create a TrainingInstance as a user does."""
        return self._store(
            "traininginstances",
            {
                "metadata": {
                    "namespace": "research",
                    "name": name,
                    "generation": 1,
                    "creationTimestamp": format_timestamp(build.CREATED),
                },
                "spec": {"envType": "appworld", **spec},
            },
        )

    def pool(self, name: str = "warm", **spec: Any) -> Object:
        """Create a TrainingPool as a user does."""
        return self._store(
            "trainingpools",
            {
                "metadata": {
                    "namespace": "research",
                    "name": name,
                    "generation": 1,
                    "creationTimestamp": format_timestamp(build.CREATED),
                },
                "spec": {"envType": "appworld", **spec},
            },
        )

    def of_kind(self, kind: str) -> list[Object]:
        return [one for (of, _, _), one in self.objects.items() if of == kind]

    def only(self, kind: str) -> Object:
        (one,) = self.of_kind(kind)
        return one

    def change(self, kind: str, name: str, change: Callable[[Object], None]) -> Object:
        """Change an object as somebody else would."""
        one = self.objects[kind, "research", name]
        change(one)
        one["metadata"]["resourceVersion"] = str(next(self.versions))
        return one

    def remove(self, kind: str, name: str) -> Object:
        next(self.versions)
        return self.objects.pop((kind, "research", name))

    def fail(self, method: str, path: str, status: int, **more: Any) -> None:
        """Answer a request with an error; with ``times``, so many."""
        self.failures.append(Failure(method, path, status, **{"times": 1, **more}))

    def _store(self, kind: str, one: Object) -> Object:
        metadata = one["metadata"]
        metadata["uid"] = f"{next(self.uids):08d}-uid"
        metadata["resourceVersion"] = str(next(self.versions))
        self.objects[kind, metadata["namespace"], metadata["name"]] = one
        return one

    @web.middleware
    async def _fail(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method != "GET":
            self.writes.append(f"{request.method} {request.path.rpartition('/namespaces/')[2]}")
        for failure in self.failures:
            if failure.method == request.method and failure.path in request.path and failure.times:
                failure.times -= 1
                if failure.after_doing_it:
                    await handler(request)
                answer = _refuse(failure.status, "Injected", failure.message)
                if failure.retry_after is not None:
                    answer.headers["Retry-After"] = str(failure.retry_after)
                return answer
        return await handler(request)

    async def _list(self, request: web.Request) -> web.Response:
        namespace = request.match_info.get("namespace")
        items = [
            one
            for (kind, of, _), one in sorted(self.objects.items())
            if kind == request.match_info["kind"]
            and namespace in {None, of}
            and _is_selected(one, request.query.get("labelSelector"))
        ]
        start, size = int(request.query.get("continue", "0")), 2
        metadata = {"resourceVersion": str(next(self.versions))}
        if start + size < len(items):
            metadata["continue"] = str(start + size)
        part = [self._told(request, one) for one in items[start : start + size]]
        return web.json_response({"metadata": metadata, "items": part})

    async def _create(self, request: web.Request) -> web.Response:
        one = await request.json()
        kind, namespace = request.match_info["kind"], request.match_info["namespace"]
        if (kind, namespace, one["metadata"]["name"]) in self.objects:
            return _refuse(409, "AlreadyExists", "already exists")
        if kind == "pods":
            one["status"] = {"phase": "Pending"}
            one["metadata"]["creationTimestamp"] = format_timestamp(self.now())
        return web.json_response(self._told(request, self._store(kind, one)), status=201)

    async def _get(self, request: web.Request) -> web.Response:
        one = self.objects.get(_key(request))
        return (
            web.json_response(self._told(request, one))
            if one
            else _refuse(404, "NotFound", "not found")
        )

    def _told(self, request: web.Request, one: Object) -> Object:
        """Return what an answer has of an object: all, or its metadata."""
        if "as=PartialObjectMetadata" in request.headers.get("Accept", ""):
            return {"kind": "PartialObjectMetadata", "metadata": one["metadata"]}
        self.told_whole.add((request.match_info["kind"], one["metadata"]["name"]))
        return one

    async def _delete(self, request: web.Request) -> web.Response:
        options = await request.json()
        one = self.objects.get(_key(request))
        if one is None:
            return _refuse(404, "NotFound", "not found")
        for name, value in options.get("preconditions", {}).items():
            if one["metadata"][name] != value:
                return _refuse(409, "Conflict", f"precondition failed: {name}")
        one["metadata"]["resourceVersion"] = str(next(self.versions))
        if request.match_info["kind"] == "pods" and options.get("gracePeriodSeconds") != 0:
            one["metadata"].setdefault("deletionTimestamp", format_timestamp(build.after(1e6)))
            return web.json_response({**one, "kind": "Pod"})
        del self.objects[_key(request)]
        return web.json_response({"kind": "Status", "status": "Success"})

    async def _patch(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/json-patch+json"
        one = self.objects.get(_key(request))
        if one is None:
            return _refuse(404, "NotFound", "not found")
        if not apply_patch(one, json.loads(await request.text())):
            return _refuse(409, "Conflict", "the object has been modified")
        one["metadata"]["resourceVersion"] = str(next(self.versions))
        return web.json_response(one)

    async def _patch_status(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/json-patch+json"
        one = self.objects.get(_key(request))
        if one is None:
            return _refuse(404, "NotFound", "not found")
        version, status = json.loads(await request.text())
        if version["value"] != one["metadata"]["resourceVersion"]:
            return _refuse(409, "Conflict", "the object has been modified")
        one["status"] = status["value"]
        self.status_written.set()
        one["metadata"]["resourceVersion"] = str(next(self.versions))
        return web.json_response(one)


def apply_patch(one: Object, patch: list[Object]) -> bool:
    """Apply a JSON patch of additions and replacements, unless it means another version."""
    for change in patch:
        *path, last = [
            part.replace("~1", "/").replace("~0", "~") for part in change["path"].split("/")[1:]
        ]
        place = one
        for part in path:
            place = place[part]
        if last == "resourceVersion" and change["value"] != place[last]:
            return False
        place[last] = change["value"]
    return True


def _is_selected(one: Object, selector: str | None) -> bool:
    label, _, value = (selector or "").partition("=")
    return selector is None or one["metadata"].get("labels", {}).get(label) == value


def _key(request: web.Request) -> tuple[str, str, str]:
    info = request.match_info
    return info["kind"], info["namespace"], info["name"]


def _refuse(status: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message}
    return web.json_response(body, status=status)
