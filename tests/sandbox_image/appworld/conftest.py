import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from zygote import RemoteEpisode, Zygote

from training_sandbox_appworld.world.solutions import Solutions, load_solutions


@pytest.fixture(scope="session")
def generate() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command that makes worlds."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "training_sandbox_appworld.world", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def world(
    tmp_path_factory: pytest.TempPathFactory,
    generate: Callable[..., subprocess.CompletedProcess[str]],
) -> Path:
    """The root of a small world."""
    root = tmp_path_factory.mktemp("world")
    made = generate("--root", root, "--small")
    assert made.returncode == 0, made.stderr
    return root


@pytest.fixture(scope="session")
def solutions(world: Path) -> dict[str, Solutions]:
    return load_solutions(world)


@pytest.fixture(scope="session")
def task_of(solutions: dict[str, Solutions]) -> Callable[[str, str], str]:
    """The task of a family in a split."""

    def find(family: str, split: str = "train") -> str:
        (task_id,) = (
            task_id
            for task_id, of_task in solutions.items()
            if (of_task.family, of_task.split) == (family, split)
        )
        return task_id

    return find


@pytest.fixture(scope="session")
def zygote(world: Path) -> Iterator[Zygote]:
    """A process that has preloaded the small world."""
    zygote = Zygote(world)
    yield zygote
    zygote.close()


@pytest.fixture
def open_episode(zygote: Zygote, tmp_path: Path) -> Callable[..., RemoteEpisode]:
    """Opens episodes, each in a process and a directory of its own."""
    count = 0

    def open_next(
        task_id: str,
        params: dict[str, object] | None = None,
        environ: dict[str, str] | None = None,
    ) -> RemoteEpisode:
        nonlocal count
        count += 1
        directory = tmp_path / f"episode-{count}"
        directory.mkdir()
        return zygote.open(directory, task_id, params, environ)

    return open_next
