"""What the verbs do, without HTTP."""

from collections.abc import Mapping

from training_sandbox_server.activity import Activity
from training_sandbox_server.bound_task import BoundTask
from training_sandbox_server.catalogue import Catalogue
from training_sandbox_server.episode import Episode
from training_sandbox_server.episode_state import refusal
from training_sandbox_server.episodes import Episodes
from training_sandbox_server.errors import InvalidRequestError
from training_sandbox_server.messages import action_message
from training_sandbox_server.protocol import VerbRequest
from training_sandbox_server.step_ledger import ExecutedStep


class Verbs:
    """The verbs of a server whose environment is loaded.

    All raise `SandboxError` for what the caller is to be told.

    Args:
        catalogue: The environment.
        episodes: The episodes.
        activity: Told of every call of a verb that concerns an episode.
        bound: The only task that is played here, if there is one.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        episodes: Episodes,
        activity: Activity,
        bound: BoundTask | None,
    ) -> None:
        self._catalogue = catalogue
        self._episodes = episodes
        self._activity = activity
        self._bound = bound

    def task_ids(self, request: VerbRequest) -> list[str]:
        """/get_env_profile: the task ids of `params.split`."""
        self._catalogue.require_env_type(request.env_type)
        return self._catalogue.task_ids((request.params or {}).get("split"))

    async def create(self, request: VerbRequest) -> Episode:
        """/create: an episode of `task_id`, under `instance_id` if there is one."""
        with self._activity.call():
            self._catalogue.require_env_type(request.env_type)
            task_id = self._catalogue.require_task(request.task_id)
            self._refuse_beside_bound_task(request.instance_id)
            return await self._episodes.create(task_id, request.params or {}, request.instance_id)

    async def step(self, request: VerbRequest) -> ExecutedStep:
        """/step: execute `messages` in the episode `instance_id`."""
        with self._activity.call():
            episode = self._episode(request)
            message = action_message(request.messages)
            with episode.in_use():
                return await episode.step(message, request.step_index)

    async def evaluate(self, request: VerbRequest) -> float:
        """/evaluate: the reward of the episode `instance_id` so far."""
        with self._activity.call():
            episode = self._episode(request)
            sparse = _flag(request.params or {}, "sparse")
            with episode.in_use():
                return await episode.evaluate(sparse=sparse)

    def tools(self, request: VerbRequest) -> str:
        """/get_info: the description of the tools."""
        with self._activity.call():
            if request.instance_id is not None:
                with self._episode(request).in_use():
                    pass
            return self._catalogue.tools

    async def release(self, request: VerbRequest) -> bool:
        """/release: end the episode `instance_id`; False if it never was."""
        with self._activity.call():
            return await self._episodes.release(_instance_id(request))

    def _episode(self, request: VerbRequest) -> Episode:
        return self._episodes.find(_instance_id(request))

    def _refuse_beside_bound_task(self, instance_id: str | None) -> None:
        if self._bound is None:
            return
        if instance_id != self._bound.episode_id:
            raise InvalidRequestError(
                f"this server plays one task; instance_id must be {self._bound.episode_id}",
                field="instance_id",
            )
        if self._bound.episode is not None and self._bound.episode.state.is_over:
            raise refusal(self._bound.episode.state, self._bound.episode_id)


def _instance_id(request: VerbRequest) -> str:
    if request.instance_id is None:
        raise InvalidRequestError("instance_id is required", field="instance_id")
    return request.instance_id


def _flag(params: Mapping[str, object], name: str) -> bool:
    flag = params.get(name)
    if flag is None:
        return False
    if not isinstance(flag, bool):
        raise InvalidRequestError(f"params.{name} must be a boolean", field=f"params.{name}")
    return flag
