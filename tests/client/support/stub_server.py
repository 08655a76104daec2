"""A small server of the sandbox's protocol, over real HTTP, that can be told to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.client.support.serving import serve

if TYPE_CHECKING:
    from starlette.requests import Request

TASKS = {"train": ["task_1", "task_2"], "dev": ["task_3"]}
FIRST_MESSAGES = [
    {"role": "system", "content": "You are an agent."},
    {"role": "user", "content": "Do the task."},
]

Fault = Callable[["StubServer"], Response]


@dataclass
class StubEpisode:
    arguments: dict[str, object]
    executed: list[dict[str, object]] = field(default_factory=list)
    answers: list[asyncio.Future[Response]] = field(default_factory=list)
    released: bool = False


class StubServer:
    """What the real server promises about ids and step indexes, and a script of faults."""

    def __init__(self) -> None:
        self.incarnation = "pod-0"
        self.episodes: dict[str, StubEpisode] = {}
        self.requests: list[tuple[str, dict[str, object]]] = []
        self.expected_incarnations: list[tuple[str, str | None]] = []
        self.connections: set[tuple[str, int]] = set()
        self.slots = 256
        self.token: str | None = None
        self.authorizations: list[str | None] = []
        self._received: dict[str, threading.Event] = {}
        self._may_end = threading.Event()
        self._may_end.set()
        self.reward: object = 0.5
        self._faults: dict[str, list[Fault]] = {}

    def misbehave(self, verb: str, *faults: Fault) -> None:
        """Answer the next calls of a verb with these, each once."""
        self._faults.setdefault(verb, []).extend(faults)

    async def until_received(self, verb: str) -> None:
        """Wait for the first request of a verb."""
        await asyncio.to_thread(self._received.setdefault(verb, threading.Event()).wait)

    @contextlib.contextmanager
    def holding_steps(self) -> Iterator[None]:
        """Let no step end before the block does."""
        self._may_end.clear()
        yield
        self._may_end.set()

    def restart(self) -> None:
        """Come back as another incarnation, without its episodes."""
        self.incarnation = f"pod-{int(self.incarnation.removeprefix('pod-')) + 1}"
        self.episodes.clear()

    def sent(self, verb: str) -> list[dict[str, object]]:
        """The bodies of a verb's requests, as they came."""
        return [body for name, body in self.requests if name == verb]

    def executed(self, episode_id: str) -> list[object]:
        """The contents of the actions that an episode executed."""
        return [action["content"] for action in self.episodes[episode_id].executed]

    def data(self, data: object, status: int = 200) -> Response:
        return JSONResponse(
            {"success": status < 400, "data": data},
            status,
            headers={"X-Sandbox-Incarnation": self.incarnation},
        )

    def error(self, status: int, kind: str, **fields: object) -> Response:
        headers = {"X-Sandbox-Incarnation": self.incarnation}
        if "retry_after" in fields:
            headers["Retry-After"] = str(fields.pop("retry_after"))
        body = {"success": False, "detail": f"{kind}!", "error": {"type": kind, **fields}}
        return JSONResponse(body, status, headers=headers)

    async def handle(self, request: Request) -> Response:
        verb = request.path_params["verb"]
        if verb in ("healthz", "readyz"):
            return self.data({})
        if not self._lets_in(request):
            return self.error(401, "unauthorized")
        body = await request.json()
        expected = request.headers.get("X-Sandbox-Expect-Incarnation")
        self.requests.append((verb, body))
        self.connections.add(tuple(request.client))
        self.expected_incarnations.append((verb, expected))
        self._received.setdefault(verb, threading.Event()).set()
        if expected not in (None, self.incarnation):
            return self.error(410, "episode_lost")
        if faults := self._faults.get(verb):
            return faults.pop(0)(self)
        answer = getattr(self, f"_{verb}")(body)
        return await answer if asyncio.iscoroutine(answer) else answer

    def _get_info(self, _: dict[str, object]) -> Response:
        return self.data("the tools")

    def _lets_in(self, request: Request) -> bool:
        authorization = request.headers.get("Authorization")
        self.authorizations.append(authorization)
        return self.token is None or authorization == f"Bearer {self.token}"

    def _get_env_profile(self, body: dict[str, object]) -> Response:
        split = body["params"]["split"]
        return self.data(TASKS[split]) if split in TASKS else self.error(404, "unknown_split")

    def _status(self, _: dict[str, object]) -> Response:
        slots = {"total": self.slots, "used": len(self.episodes)}
        return self.data({"incarnation": self.incarnation, "phase": "serving", "slots": slots})

    def _create(self, body: dict[str, object]) -> Response:
        name, task = body["instance_id"], body["task_id"]
        arguments = {"task_id": task, "params": body["params"]}
        refusal = self._admit([name], task, arguments, lambda: StubEpisode(arguments))
        return refusal or self.data(self._begun(name))

    async def _create_group(self, body: dict[str, object]) -> Response:
        names, task = body["instance_ids"], body["task_id"]
        arguments = {"task_id": task, "params": body["params"]}
        refusal = self._admit(names, task, arguments, lambda: StubEpisode(arguments))
        await asyncio.to_thread(self._may_end.wait)
        return refusal or self.data({"episodes": [self._begun(name) for name in names]})

    def _fork(self, body: dict[str, object]) -> Response:
        parent, names = self.episodes.get(body["instance_id"]), body["instance_ids"]
        if parent is None:
            return self.error(404, "episode_not_found")
        index, reseed = len(parent.executed), body["reseed"]
        arguments = {**parent.arguments, "parent": body["instance_id"], "reseed": reseed}

        def branch() -> StubEpisode:
            return StubEpisode(arguments, [*parent.executed], [*parent.answers])

        refusal = self._admit(names, parent.arguments["task_id"], arguments, branch)
        begun = [self._begun(name, step_index=index) for name in names if not refusal]
        return refusal or self.data({"episodes": begun})

    def _admit(
        self,
        names: list[str],
        task: object,
        arguments: dict[str, object],
        make: Callable[[], StubEpisode],
    ) -> Response | None:
        """Make all of the episodes, unless they are there; or none, and say why."""
        if not any(task in ids for ids in TASKS.values()):
            return self.error(404, "unknown_task")
        existing = [self.episodes[name] for name in names if name in self.episodes]
        if any(episode.arguments != arguments for episode in existing):
            return self.error(409, "episode_exists")
        if not existing:
            used = sum(not episode.released for episode in self.episodes.values())
            if used + len(names) > self.slots:
                return self.error(429, "full", retry_after=0)
            self.episodes |= {name: make() for name in names}
        return None

    def _begun(self, name: str, **branch: object) -> dict[str, object]:
        info = {"instance_id": name, "task_id": self.episodes[name].arguments["task_id"], **branch}
        return {"state": FIRST_MESSAGES, "info": info}

    def _prepare(self, body: dict[str, object]) -> Response:
        return self.data({"accepted": body["task_ids"]})

    def _trajectory(self, body: dict[str, object]) -> Response:
        episode = self.episodes.get(body["instance_id"])
        if episode is None:
            return self.error(404, "episode_not_found")
        lines = [{"type": "episode", **episode.arguments}]
        lines += [{"type": "step", "action": action} for action in episode.executed]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        return Response(text, media_type="application/x-ndjson")

    async def _step(self, body: dict[str, object]) -> Response:
        episode = self.episodes.get(body["instance_id"])
        if episode is None:
            return self.error(404, "episode_not_found")
        if episode.released:
            return self.error(410, "episode_released")
        index, executed = body.get("step_index", len(episode.executed)), len(episode.executed)
        if index == executed - 1:
            return await asyncio.shield(episode.answers[index])
        if index != executed:
            return self.error(409, "out_of_order", expected_step_index=executed)
        episode.executed.append(body["messages"])
        recorded: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        episode.answers.append(recorded)
        await asyncio.to_thread(self._may_end.wait)
        content = body["messages"].get("content")
        answer = self.data(
            {
                "state": [{"role": "user", "content": f"seen: {content}"}],
                "reward": 1.0 if content == "done" else 0.0,
                "is_terminated": content == "done",
                "info": {},
            }
        )
        recorded.set_result(answer)
        return answer

    def _evaluate(self, body: dict[str, object]) -> Response:
        if body["instance_id"] not in self.episodes:
            return self.error(404, "episode_not_found")
        return self.data(self.reward)

    def _release(self, body: dict[str, object]) -> Response:
        episode = self.episodes.get(body["instance_id"])
        if episode is None:
            return JSONResponse({"success": False, "data": {"success": False}})
        episode.released = True
        return self.data({"success": True})

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port; yields the URL."""
        with serve(
            Starlette(routes=[Route("/{verb}", self.handle, methods=["GET", "POST"])])
        ) as url:
            yield url
