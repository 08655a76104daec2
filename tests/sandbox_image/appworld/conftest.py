import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from native import Native
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
def other_world(
    tmp_path_factory: pytest.TempPathFactory,
    generate: Callable[..., subprocess.CompletedProcess[str]],
) -> Path:
    """A small world of another seed, which took the place of another and spared a file."""
    root = tmp_path_factory.mktemp("other")
    (root / "data").mkdir()
    (root / "data" / "old").touch()
    (root / "mine.txt").touch()
    made = generate("--root", root, "--small", "--seed", 8, "--force")
    assert made.returncode == 0, made.stderr
    return root


@pytest.fixture(scope="session")
def zygote(world: Path) -> Iterator[Zygote]:
    """A process that has preloaded the small world."""
    zygote = Zygote(world)
    yield zygote
    zygote.close()


@pytest.fixture(scope="session")
def other_zygote(other_world: Path) -> Iterator[Zygote]:
    zygote = Zygote(other_world)
    yield zygote
    zygote.close()


@pytest.fixture(scope="session")
def native(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    """AppWorld itself, in the small world."""
    native = Native(world, tmp_path_factory.mktemp("outputs"))
    yield native
    native.close()


@pytest.fixture(scope="session")
def other_native(other_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    native = Native(other_world, tmp_path_factory.mktemp("other-outputs"))
    yield native
    native.close()


@pytest.fixture
def open_episode(zygote: Zygote) -> Iterator[Callable[..., RemoteEpisode]]:
    """Opens episodes, each in a process of its own."""
    opened: list[RemoteEpisode] = []

    def open_next(
        task_id: str,
        params: dict[str, object] | None = None,
        environ: dict[str, str] | None = None,
        *,
        jailed: bool = True,
    ) -> RemoteEpisode:
        opened.append(zygote.open(task_id, params, environ, jailed=jailed))
        return opened[-1]

    yield open_next
    for episode in opened:
        episode.close()
