"""Where the processes of episodes come from: the zygote, and templates of tasks."""

from collections.abc import Mapping

from training_sandbox_server.episode_processes import EnvironmentFailedError, EpisodeProcesses
from training_sandbox_server.template import TemplateError
from training_sandbox_server.templates import Templates, TemplatesStatus
from training_sandbox_server.zygote_client import Zygote


class Workers:
    """Forks the processes of episodes from wherever it is cheapest.

    Args:
        zygote: Forks what no template can.
        step_seconds: The deadline of each answer of a process.
        templates_bytes: How much memory templates may take.
    """

    def __init__(self, zygote: Zygote, *, step_seconds: float, templates_bytes: int) -> None:
        self._zygote = zygote
        self._seconds = step_seconds
        self._templates = Templates(zygote, seconds=step_seconds, budget_bytes=templates_bytes)

    @property
    def templates(self) -> TemplatesStatus:
        """What the templates take."""
        return self._templates.status

    @property
    def confinement(self) -> Mapping[str, object]:
        """What confines the processes."""
        return self._zygote.hello.confinement

    @property
    def can_branch(self) -> bool:
        """Whether a running episode can fork here."""
        return bool(self.confinement.get("fork_gate"))

    def processes(self, task_id: str, params: Mapping[str, object]) -> EpisodeProcesses:
        """The processes of an episode, none of them started."""
        return EpisodeProcesses(
            self._zygote, self._templates, _task(task_id, params), self._seconds
        )

    def prepare(self, task_id: str, params: Mapping[str, object]) -> None:
        """Make a template of a task in the background, if memory allows."""
        self._templates.prepare(_task(task_id, params))

    async def warm(self, task_id: str, params: Mapping[str, object]) -> None:
        """Make a template of a task now, if there is none.

        Raises:
            InvalidRequestError: The environment does not take the params.
            ForkError, TimeoutError, EnvironmentFailedError: See `episode_processes.FAILURES`.
        """
        try:
            await self._templates.warm(_task(task_id, params))
        except TemplateError as error:
            raise EnvironmentFailedError(str(error)) from error

    async def drop_templates(self, count: int) -> None:
        """Give up the templates used longest ago, and wait until their memory is back."""
        await self._templates.drop(count)


def _task(task_id: str, params: Mapping[str, object]) -> Mapping[str, object]:
    return {"task_id": task_id, "params": params}
