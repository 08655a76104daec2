"""A Kubernetes API server of TrainingInstances, over real HTTP, with the test as its operator."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import yaml
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute

from tests.client.support.serving import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from starlette.requests import Request
    from starlette.websockets import WebSocket

INSTANCES = "/apis/trainingsandbox.dev/v1alpha1/namespaces/{namespace}/traininginstances"
POD = "/api/v1/namespaces/{namespace}/pods/{name}"

Object = dict[str, Any]


class StubCluster:
    """Keeps objects, tells watchers of their changes, and forwards ports to ``pod_address``.

    Attributes:
        objects: the TrainingInstances by name.
        reconcile: called with each object that was created, as the operator would be.
        answers_of_creation: what the next creations answer though they create.
        pod_address: host and port of the server in every pod; None when none listens.
        token: the only one that is let in.
        pod_log: what every pod wrote.
        secrets: the tokens in Secrets, by the Secret's name.
        forbids_secrets: whether reading them is refused.
        watches: how many have begun.
        url: where it is served.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.reconcile: Callable[[Object], None] = lambda _: None
        self.answers_of_creation: list[Response] = []
        self.refuses_deletions = False
        self.pod_address: tuple[str, int] | None = None
        self.pod_log = ""
        self.secrets: dict[str, str] = {}
        self.forbids_secrets = False
        self.secrets_read = 0
        self.url = ""
        self.token = "first"
        self.forwarded = 0
        self._troubles: dict[str, list[Response]] = {}
        self.watches = 0
        self._watching = 0
        self._forwarding = 0
        self._former_address: tuple[str, int] | None = None
        self._kubeconfig = Path()
        self._version = 0
        self._created = threading.Event()
        self._events: list[Object] = []

    def ready(self, resource: Object, endpoint: str = "http://127.0.0.1:9") -> None:
        """Show an object as Ready; by default at an address where nothing answers."""
        self.status(resource, "Ready", "True", "ServerReady", endpoint=endpoint)

    def status(
        self,
        resource: Object,
        phase: str,
        ready: str,
        reason: str,
        message: str = "",
        **fields: object,
    ) -> None:
        """Write an object's status."""
        condition = {"type": "Ready", "status": ready, "reason": reason, "message": message}
        resource["status"] = {
            "phase": phase,
            "conditions": [condition],
            "podName": f"{resource['metadata']['name']}-pod",
            "incarnation": "pod-0",
            **fields,
        }
        self._note("MODIFIED", resource)

    def misbehave(self, verb: str, *answers: Response) -> None:
        """Answer the next create, get, watch, delete or secret with these, and do nothing."""
        self._troubles.setdefault(verb, []).extend(answers)

    def still_to_misbehave(self, verb: str) -> int:
        """How many of those answers nobody has had yet."""
        return len(self._troubles.get(verb, []))

    def end_watches(self) -> None:
        """End the watches that are open."""
        self._watching += 1

    async def until_created(self) -> None:
        """Wait for the first object."""
        await asyncio.to_thread(self._created.wait)

    def rotate_token(self, token: str) -> None:
        """Take another token from now on, and write it into the kubeconfig."""
        self._kubeconfig.write_text(self._kubeconfig.read_text().replace(self.token, token))
        self.token = token

    def restart_pods(self) -> None:
        """Let the server listen again."""
        self.pod_address = self._former_address

    async def end_pods(self) -> None:
        """Let no server listen any more, and what was connected to one notice it."""
        self._former_address, self.pod_address = self.pod_address, None
        while self._forwarding:  # noqa: ASYNC110 (changed by another thread)
            await asyncio.sleep(0.01)

    async def until_watched(self) -> None:
        """Wait for the first watch."""
        while not self.watches:  # noqa: ASYNC110 (changed by another thread)
            await asyncio.sleep(0.01)

    def delete(self, name: str) -> None:
        """Delete an object, as somebody else might."""
        self._note("DELETED", self.objects.pop(name))

    def kubeconfig(self, url: str, folder: Path) -> str:
        """Write a kubeconfig for the API server and return its path."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "stub",
            "contexts": [
                {"name": "stub", "context": {"cluster": "stub", "user": "me", "namespace": "ns"}},
                {"name": "other", "context": {"cluster": "stub", "user": "me", "namespace": "ns2"}},
            ],
            "clusters": [{"name": "stub", "cluster": {"server": url}}],
            "users": [{"name": "me", "user": {"token": self.token}}],
        }
        self._kubeconfig = folder / "kubeconfig"
        self._kubeconfig.write_text(yaml.safe_dump(config))
        return str(self._kubeconfig)

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port; yields the URL."""
        routes = [
            Route("/version", JSONResponse({"gitVersion": "v1.33.0"})),
            Route(INSTANCES, self._create, methods=["POST"]),
            Route(INSTANCES, self._list),
            Route(INSTANCES + "/{name}", self._get),
            Route(INSTANCES + "/{name}", self._delete, methods=["DELETE"]),
            Route("/api/v1/namespaces/{namespace}/secrets/{name}", self._secret),
            Route(POD + "/log", self._log, methods=["GET"]),
            WebSocketRoute(POD + "/portforward", self._forward),
        ]
        with serve(Starlette(routes=routes)) as self.url:
            yield self.url

    def _note(self, kind: str, resource: Object) -> None:
        self._version += 1
        resource["metadata"]["resourceVersion"] = str(self._version)
        self._events.append({"type": kind, "object": json.loads(json.dumps(resource))})

    async def _create(self, request: Request) -> Response:
        if trouble := self._trouble("create", request):
            return trouble
        resource = await request.json()
        name = resource["metadata"]["name"]
        if name in self.objects:
            return refusal(409, f'traininginstances "{name}" already exists')
        resource["metadata"].update(
            namespace=request.path_params["namespace"],
            uid=str(uuid.uuid4()),
            creationTimestamp="2030-01-01T00:00:00Z",
        )
        self.objects[name] = resource
        self._created.set()
        self._note("ADDED", resource)
        answer = JSONResponse(resource, 201)
        self.reconcile(resource)
        return self.answers_of_creation.pop(0) if self.answers_of_creation else answer

    def _trouble(self, verb: str, request: Request) -> Response | None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return refusal(401, "Unauthorized")
        answers = self._troubles.get(verb)
        return answers.pop(0) if answers else None

    async def _get(self, request: Request) -> Response:
        if trouble := self._trouble("get", request):
            return trouble
        resource = self.objects.get(request.path_params["name"])
        return JSONResponse(resource) if resource else refusal(404, "not found")

    async def _delete(self, request: Request) -> Response:
        if self.refuses_deletions:
            return refusal(403, "you may not delete instances")
        if trouble := self._trouble("delete", request):
            return trouble
        name = request.path_params["name"]
        resource, wanted = self.objects.get(name), await request.json()
        if resource is None:
            return refusal(404, "not found")
        uid = wanted.get("preconditions", {}).get("uid")
        if uid not in (None, resource["metadata"]["uid"]):
            return refusal(409, "the UID in the precondition does not match")
        self.delete(name)
        return JSONResponse({"kind": "Status", "status": "Success"})

    async def _list(self, request: Request) -> Response:
        if request.query_params.get("watch") == "true":
            if trouble := self._trouble("watch", request):
                return trouble
            name = request.query_params["fieldSelector"].removeprefix("metadata.name=")
            version = int(request.query_params["resourceVersion"])
            return StreamingResponse(self._watch(name, version))
        return JSONResponse({"items": list(self.objects.values())})

    async def _watch(self, name: str, version: int) -> AsyncIterator[str]:
        seen, watching = 0, self._watching
        self.watches += 1
        while watching == self._watching:
            events, seen = self._events[seen:], len(self._events)
            for event in events:
                metadata = event["object"]["metadata"]
                if metadata["name"] == name and int(metadata["resourceVersion"]) > version:
                    yield json.dumps(event) + "\n"
            await asyncio.sleep(0.01)

    async def _secret(self, request: Request) -> Response:
        self.secrets_read += 1
        if self.forbids_secrets:
            return refusal(403, "secrets is forbidden")
        if trouble := self._trouble("secret", request):
            return trouble
        token = self.secrets.get(request.path_params["name"])
        if token is None:
            return refusal(404, "not found")
        return JSONResponse({"data": {"token": base64.b64encode(token.encode()).decode()}})

    async def _log(self, request: Request) -> Response:
        lines = self.pod_log.splitlines()[-int(request.query_params["tailLines"]) :]
        return PlainTextResponse("\n".join(lines))

    async def _forward(self, websocket: WebSocket) -> None:
        """Speak the kubelet's protocol: channel 0 data, 1 errors, each begins with the port."""
        if websocket.headers.get("Authorization") != f"Bearer {self.token}":
            response = refusal(401, "Unauthorized")
            await websocket.send_denial_response(response)
            return
        await websocket.accept(subprotocol="v4.channel.k8s.io")
        self.forwarded += 1
        port = int(websocket.query_params["ports"]).to_bytes(2, "little")
        await websocket.send_bytes(b"\x00" + port)
        await websocket.send_bytes(b"\x01" + port)
        address = self.pod_address
        try:
            pod = await anyio.connect_tcp(*address)
        except (OSError, TypeError):
            await websocket.send_bytes(b"\x01dial tcp4 127.0.0.1:8000: connection refused")
            await websocket.close()
            return
        self._forwarding += 1
        async with pod, anyio.create_task_group() as tasks:

            async def upwards() -> None:
                with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                    async for chunk in pod:
                        await websocket.send_bytes(b"\x00" + chunk)
                with contextlib.suppress(RuntimeError):
                    await websocket.close()
                tasks.cancel_scope.cancel()

            async def until_the_pod_ends() -> None:
                while self.pod_address == address:  # noqa: ASYNC110 (changed by another thread)
                    await asyncio.sleep(0.01)
                await websocket.close()
                tasks.cancel_scope.cancel()

            tasks.start_soon(upwards)
            tasks.start_soon(until_the_pod_ends)
            async for frame in websocket.iter_bytes():
                await pod.send(frame[1:])
            tasks.cancel_scope.cancel()
        self._forwarding -= 1


def refusal(status: int, message: str, **details: str) -> Response:
    """An error of the API server."""
    body = {"kind": "Status", "message": message, "details": details, "code": status}
    return JSONResponse(body, status)


def throttled(retry_after: float) -> Response:
    """What priority and fairness answers: no Status."""
    headers = {"Retry-After": str(retry_after)}
    return PlainTextResponse("Too many requests, please try again later.\n", 429, headers)


def lost() -> Response:
    """An answer that breaks off."""
    return StreamingResponse(_broken(), 201)


async def _broken() -> AsyncIterator[bytes]:
    yield b"{"
    raise ConnectionResetError
