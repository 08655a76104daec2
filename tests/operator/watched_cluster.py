"""A fake API server that whole operators can run against: it has discovery, watches and leases."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.operator.fake_cluster import GROUP_PATH, FakeCluster, Object, _key, _refuse

LEASES = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/{kind}"
_KINDS = {
    # kopf waits until it knows how namespaces are called.
    "/api/v1": [
        ("namespaces", "Namespace"),
        ("pods", "Pod"),
        ("events", "Event"),
        ("secrets", "Secret"),
    ],
    GROUP_PATH: [("traininginstances", "TrainingInstance"), ("trainingpools", "TrainingPool")],
}


@dataclass
class WatchedCluster(FakeCluster):
    """``requests`` has token, method and path of every write; ``holders`` those of the lease."""

    requests: list[tuple[str, str, str]] = field(default_factory=list)
    holders: list[str] = field(default_factory=list)

    def app(self) -> web.Application:
        app = super().app()
        app.middlewares.insert(0, self._note)
        app.router.add_post(LEASES, self._create)
        app.router.add_get(LEASES + "/{name}", self._get)
        app.router.add_put(LEASES + "/{name}", self._replace)
        custom = f"{GROUP_PATH}/namespaces/{{namespace}}/{{kind}}/{{name}}"
        app.router.add_put(custom, self._replace)
        app.router.add_get("/api", _answer({"versions": ["v1"]}))
        app.router.add_get("/apis", _answer({"groups": [_group("trainingsandbox.dev")]}))
        for path, kinds in _KINDS.items():
            app.router.add_get(path, _answer({"resources": [_resource(*kind) for kind in kinds]}))
        return app

    def writes_of(self, token: str, resource: str = "") -> list[str]:
        return [
            f"{method} {path}"
            for of, method, path in self.requests
            if of == token and resource in path
        ]

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method != "GET":
            token = request.headers["Authorization"].removeprefix("Bearer ")
            self.requests.append((token, request.method, request.path))
        return await handler(request)

    async def _create(self, request: web.Request) -> web.Response:
        answer = await super()._create(request)
        self._note_holder(request)
        return answer

    async def _replace(self, request: web.Request) -> web.Response:
        new = await request.json()
        one = self.objects.get(_key(request))
        if one is None:
            return _refuse(404, "NotFound", "not found")
        if new["metadata"]["resourceVersion"] != one["metadata"]["resourceVersion"]:
            return _refuse(409, "Conflict", "the object has been modified")
        one["spec"] = new["spec"]
        one["metadata"]["resourceVersion"] = str(next(self.versions))
        self._note_holder(request)
        return web.json_response(one)

    def _note_holder(self, request: web.Request) -> None:
        if request.match_info["kind"] == "leases":
            holder = self.only("leases")["spec"]["holderIdentity"]
            if not self.holders or self.holders[-1] != holder:
                self.holders.append(holder)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") != "true":
            return await super()._list(request)
        response = web.StreamResponse()
        await response.prepare(request)
        kind, since = request.match_info["kind"], int(request.query["resourceVersion"])
        known = {uid: one for uid, one in self._versions(kind).items() if one[0] <= since}
        while True:
            present = self._versions(kind)
            for uid, (version, one) in present.items():
                if uid not in known:
                    await _tell(response, "ADDED", one)
                elif known[uid][0] != version:
                    await _tell(response, "MODIFIED", one)
            for uid in known.keys() - present.keys():
                await _tell(response, "DELETED", known[uid][1])
            known = present
            await asyncio.sleep(0.02)

    def _versions(self, kind: str) -> dict[str, tuple[int, Object]]:
        return {
            one["metadata"]["uid"]: (int(one["metadata"]["resourceVersion"]), one)
            for one in self.of_kind(kind)
        }


def _answer(body: Object) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    return answer


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/v1alpha1", "version": "v1alpha1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resource(plural: str, kind: str) -> Object:
    verbs = ["create", "delete", "get", "list", "patch", "watch"]
    return {
        "name": plural,
        "singularName": kind.lower(),
        "kind": kind,
        "namespaced": True,
        "verbs": verbs,
    }


async def _tell(response: web.StreamResponse, kind: str, one: Object) -> None:
    await response.write(json.dumps({"type": kind, "object": one}).encode() + b"\n")
