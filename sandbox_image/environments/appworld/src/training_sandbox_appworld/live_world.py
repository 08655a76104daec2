"""AppWorld's own world, made once before its task is known, without files and threads.

AppWorld makes a world for each task, of which only a few parts are the task's: its databases, its
time, its seed. The rest is made in the zygote, and a fork of it begins at the task.
"""

import builtins
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

from training_sandbox_appworld import asgi_client, library, row_values, safety_guard, shell
from training_sandbox_appworld.databases import Databases


class LiveWorld(Protocol):
    """What is used of `appworld.AppWorld`."""

    task: Any
    requester: Any
    shell: Any
    timeout_seconds: int
    environment_io: list[Mapping[str, str]]

    def execute(self, code: str) -> str:
        """What the code printed, or how it failed."""
        ...

    def task_completed(self) -> bool:
        """Whether code has said that the task is done."""
        ...


def prepare() -> None:
    """Make AppWorld use what worlds of this process need to have no thread and no file."""
    asgi_client.call_in_place_of_threads()
    library.module("requester").TestClient = asgi_client.SynchronousClient
    shell.use_for_worlds()
    safety_guard.speed_up()
    row_values.speed_up()


def make_world(databases: Databases, task_id: str) -> LiveWorld:
    """Make a world as AppWorld does.

    Args:
        databases: Not open.
        task_id: Any task.
    """
    databases.open(task_id)
    return _world_class()(
        task_id=task_id,
        load_ground_truth=False,
        # The server's limits are on steps, and its answer to too many of them is not AppWorld's.
        max_interactions=1_000_000,
    )


def start_task(world: Any, databases: Databases, task_id: str) -> None:
    """Give a world its task: what AppWorld does for a task when it makes a world, in its order.

    Args:
        world: Made for another task, and not used.
        databases: Not open.
        task_id: The task.

    Raises:
        RuntimeError: The task is for another version of the databases.
    """
    api_lib, model_lib = library.module("apps.api_lib"), library.module("apps.model_lib")
    task = library.module("task").Task.load(task_id, load_ground_truth=False)
    version = library.module("common.constants").DB_VERSION
    if task.db_version != version:
        raise RuntimeError(f"{task_id} is for databases of {task.db_version}, not of {version}")
    world.task_id, world.task = task_id, task
    databases.open(task_id)
    home = model_lib.get_db_home_path("memory", "task_output", task_id)
    api_lib.set_local_dbs(home)
    model_lib.ModelHashHandler.load(task.models_from_db_home_path, home)
    world.requester.date_and_time = task.datetime
    world.requester.time_freezer_or_id = api_lib.set_local_date_and_time(task.datetime)
    api_lib.set_local_random_seed(world.random_seed)
    world._set_datetime()  # noqa: SLF001 (AppWorld's own, which its constructor calls)
    builtins.SystemExit = Exception  # type: ignore[misc] (the safety guard of a world does this)


@cache
def _world_class() -> Any:
    base: Any = library.module("environment").AppWorld

    class World(base):
        def initialize(self) -> None:
            self._execute_preamble()
            self._set_datetime()

        def _save_state(self, directory: str) -> None: ...

        def save_logs(self) -> None: ...

    return World
