"""Two servers of the same world: one that confines agent code, one that does not."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sandbox_image.hostile.arena import Arena, Player
from tests.sandbox_image.hostile.attack import Attack
from tests.sandbox_image.hostile.case import Case
from tests.sandbox_image.hostile.listeners import Listeners
from tests.sandbox_image.hostile.planted_world import PlantedWorld

BUILT_PYTHON = Path(__file__).parents[3] / "build" / "venvs" / "appworld" / "bin" / "python"
MEMORY_MB = 192
STEP_SECONDS = 12
MOST_ADDRESS_SPACE_BYTES = 3 << 30


@contextlib.contextmanager
def _capped() -> Iterator[None]:
    """Processes started meanwhile, and all below them, have an end to their memory, jail or not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESS_SPACE_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture(scope="session")
def appworld_python() -> str:
    found = os.environ.get("TEST_APPWORLD_PYTHON", str(BUILT_PYTHON))
    assert Path(found).exists(), f"{found} is missing: make venv-appworld"
    return found


@pytest.fixture(scope="session")
def small_world(appworld_python, tmp_path_factory) -> Path:
    """The root of a small world, to be copied."""
    given = os.environ.get("TEST_APPWORLD_ROOT")
    if given:
        return Path(given)
    root = tmp_path_factory.mktemp("small") / "world"
    module = ["-m", "training_sandbox_appworld.world", "--small", "--seed", "7"]
    subprocess.run([appworld_python, *module, "--root", root], check=True)
    return root


@pytest.fixture(scope="session")
def listeners(tmp_path_factory) -> Iterator[Listeners]:
    listeners = Listeners(tmp_path_factory.mktemp("listeners"))
    yield listeners
    listeners.close()


@pytest.fixture(scope="session")
def open_arena(run_server, appworld_python, small_world, listeners, tmp_path_factory):
    """A context manager of an arena with settings of the caller's own."""

    @contextlib.contextmanager
    def _open(**settings: str) -> Iterator[Arena]:
        directory = tmp_path_factory.mktemp("arena")
        world = PlantedWorld(small_world, directory / "world")
        environ = {
            "SANDBOX_ENVIRONMENT": "appworld",
            "SANDBOX_ENVIRONMENT_PYTHON": appworld_python,
            "SANDBOX_STATE_DIR": str(directory / "state"),
            "SANDBOX_SLOTS": "32",
            "SANDBOX_STEP_TIMEOUT_SECONDS": str(STEP_SECONDS),
            "SANDBOX_EPISODE_MEMORY_MB": str(MEMORY_MB),
            "APPWORLD_ROOT": str(world.root),
        }
        with contextlib.ExitStack() as stack:
            with _capped():
                server = stack.enter_context(run_server(environ | settings))
            server.wait_until_ready()
            yield Arena(server, world, listeners, directory)

    return _open


@pytest.fixture(scope="session")
def confined(open_arena) -> Iterator[Arena]:
    """The arena of a server as it is run."""
    with open_arena() as arena:
        yield arena


@pytest.fixture(scope="session")
def _unconfined(open_arena) -> Iterator[Callable[[], Arena]]:
    with contextlib.ExitStack() as stack:
        arenas: list[Arena] = []

        def _get() -> Arena:
            if not arenas or arenas[-1].is_spent:
                arenas.append(stack.enter_context(open_arena(SANDBOX_JAIL="off")))
            return arenas[-1]

        yield _get


@pytest.fixture
def unconfined(_unconfined) -> Arena:
    """The arena of a server without the jail; another one when an attack has ended the last."""
    return _unconfined()


@pytest.fixture
def attack(in_background) -> Callable[[Arena, Case], Attack]:
    """Prepare an attack in an arena; a context manager."""
    return lambda arena, case: Attack(arena, case, in_background)


@pytest.fixture
def bystander(confined) -> Iterator[Player]:
    """An episode that plays the right solution, and must get to its end."""
    confined.prepare()
    player = Player(confined, confined.world.actions("right"))
    player.advance()
    yield player
    assert player.finish() == 1.0
    player.release()


@pytest.fixture
def hostile(confined, bystander) -> Iterator[Player]:
    """An episode to send hostile code to."""
    player = Player(confined)
    yield player
    player.release()
