"""The verbs of a server, as the checks call them."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import httpx

from training_sandbox_conformance.installed import Installation, Message
from training_sandbox_conformance.outcomes import Violation
from training_sandbox_conformance.server_process import ServerProcess

_SLOTS = 32
_CALL_SECONDS = 300
_OK = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb answered.

    Attributes:
        status: HTTP's.
        body: The JSON object.
    """

    status: int
    body: Mapping[str, object]

    @property
    def is_success(self) -> bool:
        """Whether there is data."""
        return self.status == _OK

    @property
    def kind(self) -> str:
        """The type of the error; empty for a success."""
        return str(self._error.get("type", ""))

    @property
    def detail(self) -> str:
        """What the error says to a person."""
        return str(self.body.get("detail", ""))

    def names(self, field: str) -> bool:
        """Whether the error says that this field is wrong."""
        return self._error.get("field") == field or field in self.detail

    def __str__(self) -> str:
        return f"{self.status} {self.kind}: {self.detail}" if self.kind else f"{self.status}"

    @property
    def _error(self) -> Mapping[str, object]:
        return cast("Mapping[str, object]", self.body.get("error") or {})


@dataclass(frozen=True, slots=True)
class Begun:
    """An episode, and the messages that it begins with."""

    id: str
    messages: list[Message]


class Served:
    """A server that is ready.

    Args:
        installation: What it serves.
        hash_seed: Decides in which order it sees the members of sets.
        log: Takes what it logs.

    Raises (when entered):
        ServerFailedError: It does not start.
    """

    def __init__(self, installation: Installation, hash_seed: int, log: Path) -> None:
        settings = {
            **installation.settings,
            "SANDBOX_ENVIRONMENT": installation.name,
            "SANDBOX_ENVIRONMENT_PYTHON": str(installation.python),
            "SANDBOX_SLOTS": str(_SLOTS),
            "PYTHONHASHSEED": str(hash_seed),
        }
        self.process = ServerProcess(settings, log)
        self._live: set[str] = set()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.process).wait_until_ready()
            self._http = stack.enter_context(
                httpx.Client(base_url=self.process.url, timeout=_CALL_SECONDS, trust_env=False)
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def ask(self, verb: str, **body: object) -> Answer:
        """The answer of a verb, whatever it is."""
        try:
            response = self._http.post(f"/{verb}", json=body)
        except httpx.TransportError as error:
            raise Violation(
                f"the server does not answer /{verb} ({error!r}):\n{self.process.end_of_log}"
            ) from error
        return Answer(response.status_code, cast("dict[str, object]", response.json()))

    def call(self, verb: str, **body: object) -> object:
        """The data of a verb that must succeed.

        Raises:
            Violation: It does not.
        """
        answer = self.ask(verb, **body)
        if not answer.is_success:
            raise Violation(f"/{verb} answered {answer}\n{self.process.end_of_log}")
        return answer.body["data"]

    def create(self, task_id: str) -> Begun:
        """An episode of a task."""
        return self._begun(self.call("create", task_id=task_id))

    def create_group(self, task_id: str, n: int) -> list[Begun]:
        """Episodes of a task, forked from its template."""
        return self._each_begun(self.call("create_group", task_id=task_id, n=n))

    def fork(self, episode_id: str, n: int) -> list[Begun]:
        """Branches of an episode; each stands at its last observation."""
        return self._each_begun(self.call("fork", instance_id=episode_id, n=n))

    def step(self, episode_id: str, message: Message) -> Mapping[str, object]:
        """The data of a step."""
        data = self.call("step", instance_id=episode_id, messages=message)
        return cast("Mapping[str, object]", data)

    def evaluate(self, episode_id: str, *, sparse: bool) -> float:
        """The reward of an episode so far."""
        return cast(
            "float", self.call("evaluate", instance_id=episode_id, params={"sparse": sparse})
        )

    def release(self, *episode_ids: str) -> None:
        """End episodes."""
        for episode_id in episode_ids:
            self.call("release", instance_id=episode_id)
            self._live.discard(episode_id)

    def release_all(self) -> None:
        """End whatever episodes a check left when it failed."""
        for episode_id in self._live:
            self.ask("release", instance_id=episode_id)
        self._live.clear()

    def trajectory(self, episode_id: str) -> str:
        """What happened in an episode, as JSON Lines."""
        response = self._http.post("/trajectory", json={"instance_id": episode_id})
        if response.status_code != _OK:
            raise Violation(f"/trajectory answered {response.status_code}: {response.text}")
        return response.text

    def status(self) -> Mapping[str, object]:
        """How the server stands."""
        return cast("Mapping[str, object]", self.call("status"))

    def _each_begun(self, data: object) -> list[Begun]:
        episodes = cast("list[object]", cast("dict[str, object]", data)["episodes"])
        return [self._begun(episode) for episode in episodes]

    def _begun(self, data: object) -> Begun:
        created = cast("dict[str, object]", data)
        info = cast("dict[str, object]", created["info"])
        self._live.add(str(info["instance_id"]))
        return Begun(id=str(info["instance_id"]), messages=cast("list[Message]", created["state"]))
