"""What this server's environment has: its names, splits, tasks, tools."""

from training_sandbox_server.errors import (
    InvalidRequestError,
    UnknownEnvTypeError,
    UnknownSplitError,
    UnknownTaskError,
)
from training_sandbox_server.zygote_client import Hello

_DEFAULT_SPLIT = "train"


class Catalogue:
    """The environment as its zygote announced it.

    Args:
        hello: The announcement.
        alias: A further name for the environment.
    """

    def __init__(self, hello: Hello, alias: str | None) -> None:
        self.environment = hello.environment
        self.tools = hello.tools
        self._splits = hello.splits
        self._env_types = {hello.environment, *([alias] if alias else [])}
        self._task_ids = {task_id for task_ids in hello.splits.values() for task_id in task_ids}

    def require_env_type(self, env_type: str | None) -> None:
        """Accept the environment's names, and none at all.

        Raises:
            UnknownEnvTypeError: It is another one's.
        """
        if env_type is not None and env_type not in self._env_types:
            names = ", ".join(sorted(self._env_types))
            raise UnknownEnvTypeError(f"env_type {env_type[:128]!r} is not played here; {names} is")

    def require_task(self, task_id: str | None) -> str:
        """The id of a task that exists.

        Raises:
            InvalidRequestError: There is no id.
            UnknownTaskError: No task has it.
        """
        if not task_id:
            raise InvalidRequestError("task_id must be a string that is not empty", field="task_id")
        if task_id not in self._task_ids:
            raise UnknownTaskError(
                f"{self.environment} has no task {task_id[:128]!r}; /get_env_profile lists them"
            )
        return task_id

    def task_ids(self, split: object) -> list[str]:
        """The task ids of a split, of `train` when None is asked for.

        Raises:
            InvalidRequestError: The split is no string.
            UnknownSplitError: There is no such split.
        """
        name = _DEFAULT_SPLIT if split is None else split
        if not isinstance(name, str):
            raise InvalidRequestError("params.split must be a string", field="params.split")
        if name not in self._splits:
            names = ", ".join(self._splits)
            raise UnknownSplitError(
                f"{self.environment} has no split {name[:128]!r}; it has {names}"
            )
        return self._splits[name]
