"""What the verbs do, without HTTP."""

from collections.abc import AsyncGenerator, Mapping, Sequence

from training_sandbox_server.activity import Activity
from training_sandbox_server.bound_task import Binding, BoundTask
from training_sandbox_server.catalogue import Catalogue
from training_sandbox_server.episode import Episode
from training_sandbox_server.episodes import Episodes
from training_sandbox_server.errors import InvalidRequestError
from training_sandbox_server.messages import action_message
from training_sandbox_server.metrics import Metrics
from training_sandbox_server.protocol import (
    MAX_ID_LENGTH,
    ForkRequest,
    GroupRequest,
    PrepareRequest,
    VerbRequest,
)
from training_sandbox_server.step_ledger import ExecutedStep
from training_sandbox_server.strict_json import encode
from training_sandbox_server.workers import Workers


class Verbs:
    """The verbs of a server whose environment is loaded.

    All raise `SandboxError` for what the caller is to be told.

    Args:
        incarnation: The server's.
        catalogue: The environment.
        episodes: The episodes.
        workers: Make templates of tasks that are announced.
        activity: Told of every call of a verb that concerns an episode.
        metrics: Told how long they take.
        binding: Which task is the only one that is played here, if there is one.
    """

    def __init__(
        self,
        *,
        incarnation: str,
        catalogue: Catalogue,
        episodes: Episodes,
        workers: Workers,
        activity: Activity,
        metrics: Metrics,
        binding: Binding,
    ) -> None:
        self._incarnation = incarnation
        self._catalogue = catalogue
        self._episodes = episodes
        self._workers = workers
        self._activity = activity
        self._metrics = metrics
        self._binding = binding

    async def bind(self, request: VerbRequest) -> None:
        """/bind: open `task_id` as the episode `instance_id`, and play nothing else from now on."""
        with self._activity.call(), self._metrics.create_seconds.time():
            self._catalogue.require_env_type(request.env_type)
            task_id = self._catalogue.require_task(request.task_id)
            task = self._binding.bind(
                BoundTask(task_id, _instance_id(request), request.params or {}),
                in_use=self._episodes.used > 0,
            )
            self._episodes.slots = 1
            # An id whose episode is over would be given to a new one.
            if task.episode is None:
                task.episode = await self._episodes.create(task_id, task.params, task.episode_id)

    def task_ids(self, request: VerbRequest) -> list[str]:
        """/get_env_profile: the task ids of `params.split`."""
        self._catalogue.require_env_type(request.env_type)
        return self._catalogue.task_ids((request.params or {}).get("split"))

    def prepare(self, request: PrepareRequest) -> list[str]:
        """/prepare: begin to make templates of `task_ids`."""
        with self._activity.call():
            self._catalogue.require_env_type(request.env_type)
            self._refuse_if_bound()
            task_ids = [self._catalogue.require_task(task_id) for task_id in request.task_ids]
            for task_id in task_ids:
                self._workers.prepare(task_id, request.params or {})
            return task_ids

    async def create(self, request: VerbRequest) -> Episode:
        """/create: an episode of `task_id`, under `instance_id` if there is one."""
        with self._activity.call(), self._metrics.create_seconds.time():
            self._catalogue.require_env_type(request.env_type)
            task_id = self._catalogue.require_task(request.task_id)
            self._refuse_beside_bound_task(request.instance_id)
            return await self._episodes.create(task_id, request.params or {}, request.instance_id)

    async def create_group(self, request: GroupRequest) -> Sequence[Episode]:
        """/create_group: `n` episodes of `task_id`, or none."""
        with self._activity.call(), self._metrics.create_seconds.time():
            self._catalogue.require_env_type(request.env_type)
            task_id = self._catalogue.require_task(request.task_id)
            self._refuse_if_bound()
            return await self._episodes.create_group(
                task_id, request.params or {}, request.n, _ids_of_group(request)
            )

    async def fork(self, request: ForkRequest) -> Sequence[Episode]:
        """/fork: `n` branches of the episode `instance_id`, or none."""
        with self._activity.call(), self._metrics.fork_seconds.time():
            self._refuse_if_bound()
            parent = await self._episode(request)
            with parent.in_use():
                return await self._episodes.fork(
                    parent, request.n, request.instance_ids, reseed=request.reseed
                )

    async def step(self, request: VerbRequest) -> tuple[ExecutedStep, float]:
        """/step: execute `messages` in the episode `instance_id`; the step and its reward."""
        with self._activity.call(), self._metrics.step_seconds.time():
            episode = await self._episode(request)
            message = action_message(request.messages)
            with episode.in_use():
                return await episode.step(message, request.step_index)

    async def evaluate(self, request: VerbRequest) -> float:
        """/evaluate: the reward of the episode `instance_id` so far."""
        with self._activity.call(), self._metrics.evaluate_seconds.time():
            episode = await self._episode(request)
            sparse = _flag(request.params or {}, "sparse")
            with episode.in_use():
                return await episode.evaluate(sparse=sparse)

    async def trajectory(self, request: VerbRequest) -> AsyncGenerator[bytes]:
        """/trajectory: what happened in the episode `instance_id` so far, as JSON Lines."""
        with self._activity.call():
            episode = await self._episode(request)
            with episode.in_use():
                beginning = self._beginning(episode)
                records = episode.trajectory.excerpt()

        async def read() -> AsyncGenerator[bytes]:
            yield beginning
            async for part in records.read():
                yield part

        return read()

    async def tools(self, request: VerbRequest) -> str:
        """/get_info: the description of the tools."""
        with self._activity.call():
            if request.instance_id is not None:
                with (await self._episode(request)).in_use():
                    pass
            return self._catalogue.tools

    async def release(self, request: VerbRequest) -> bool:
        """/release: end the episode `instance_id`; False if it never was."""
        with self._activity.call():
            return await self._episodes.release(_instance_id(request))

    async def _episode(self, request: VerbRequest) -> Episode:
        return await self._episodes.find(_instance_id(request))

    def _beginning(self, episode: Episode) -> bytes:
        """The first line of a trajectory."""
        identity = episode.identity
        line: dict[str, object] = {
            "type": "episode",
            "environment": self._catalogue.environment,
            "task_id": identity.task_id,
            "params": identity.params,
            "instance_id": identity.episode_id,
            "incarnation": self._incarnation,
        }
        if identity.origin is not None:
            line["parent"] = identity.origin.parent
        return encode({**line, "messages": episode.initial_messages}) + b"\n"

    def _refuse_beside_bound_task(self, instance_id: str | None) -> None:
        bound = self._binding.task
        if bound is None:
            return
        if instance_id != bound.episode_id:
            raise InvalidRequestError(
                f"this server plays one task; instance_id must be {bound.episode_id}",
                field="instance_id",
            )
        if bound.episode is not None:
            bound.episode.refuse_if_over()

    def _refuse_if_bound(self) -> None:
        if self._binding.task is not None:
            raise InvalidRequestError(
                f"this server plays one task, in the episode {self._binding.episode_id} alone"
            )


def _instance_id(request: VerbRequest) -> str:
    if request.instance_id is None:
        raise InvalidRequestError("instance_id is required", field="instance_id")
    return request.instance_id


def _ids_of_group(request: GroupRequest) -> Sequence[str] | None:
    if request.instance_ids is not None or request.instance_id is None:
        return request.instance_ids
    last = f"{request.instance_id}-{request.n - 1}"
    if len(last) > MAX_ID_LENGTH:
        raise InvalidRequestError(
            f"instance_id is too long: {last[:20]}… has more than {MAX_ID_LENGTH} characters",
            field="instance_id",
        )
    return [f"{request.instance_id}-{number}" for number in range(request.n)]


def _flag(params: Mapping[str, object], name: str) -> bool:
    flag = params.get(name)
    if flag is None:
        return False
    if not isinstance(flag, bool):
        raise InvalidRequestError(f"params.{name} must be a boolean", field=f"params.{name}")
    return flag
