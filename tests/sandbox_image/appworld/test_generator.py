"""The command that makes worlds."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from zygote import Zygote

from training_sandbox_appworld.data import SPLITS, read_splits
from training_sandbox_appworld.library import WorldUnusable
from training_sandbox_appworld.world.families import FAMILIES
from training_sandbox_appworld.world.solutions import Solutions, load_solutions

Generate = Callable[..., subprocess.CompletedProcess[str]]


def test_a_small_world_has_a_task_of_each_family_in_each_split(
    world: Path, solutions: dict[str, Solutions]
) -> None:
    splits = read_splits(world)
    assert {split: len(ids) for split, ids in splits.items()} == dict.fromkeys(
        SPLITS, len(FAMILIES)
    )
    assert {task_id for ids in splits.values() for task_id in ids} == set(solutions)
    for task_id, of_task in solutions.items():
        assert task_id in splits[of_task.split]


@pytest.fixture(scope="module")
def same_world(tmp_path_factory: pytest.TempPathFactory, generate: Generate) -> Path:
    """A small world of the same seed, made where a killed generation left something."""
    root = tmp_path_factory.mktemp("same")
    (root / ".partial" / "data" / "tasks").mkdir(parents=True)
    made = generate("--root", root, "--small", "--seed", 7)
    assert made.returncode == 0, made.stderr
    return root


def test_the_same_seed_gives_the_same_world_to_the_byte(world: Path, same_world: Path) -> None:
    assert _files(same_world) == _files(world)


def test_what_a_killed_generation_left_is_no_obstacle(same_world: Path) -> None:
    assert {path.name for path in same_world.iterdir()} == {"data", "solutions.json"}


def test_another_seed_gives_another_world_that_can_be_played(
    world: Path, other_world: Path, other_zygote: Zygote
) -> None:
    solutions = load_solutions(other_world)
    assert not set(solutions) & set(load_solutions(world))
    task_id, of_task = next(iter(solutions.items()))
    episode = other_zygote.open(task_id)
    episode.run(*of_task.right)
    assert episode.evaluate() == 1.0


def test_force_replaces_the_world_and_nothing_else(other_world: Path) -> None:
    names = {path.name for path in other_world.iterdir()}
    assert names == {"data", "solutions.json", "mine.txt"}
    assert not (other_world / "data" / "old").exists()


def test_a_killed_generation_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training_sandbox_appworld.world", "--root", str(tmp_path)]
    with subprocess.Popen([*command, "--small"]) as process:
        while not (tmp_path / ".partial" / "data" / "base_dbs").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    with pytest.raises(WorldUnusable):
        read_splits(tmp_path)
    assert not (tmp_path / "solutions.json").exists()


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_generation_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training_sandbox_appworld.world", "--root", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--small"],
        stderr=subprocess.DEVNULL,
        # A test run in the background ignores SIGINT, and its children would as well.
        preexec_fn=_heed_interrupts,  # noqa: PLW1509 (it only sets a signal)
    ) as process:
        while not (tmp_path / ".partial" / "data" / "base_dbs").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_is_not_empty_is_refused(generate: Generate, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    refused = generate("--root", tmp_path, "--small")
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_root_that_appworld_cannot_use_is_refused(generate: Generate, tmp_path: Path) -> None:
    refused = generate("--root", tmp_path / "memory", "--small")
    assert refused.returncode == 2
    assert 'must not contain the word "memory"' in refused.stderr
    assert not (tmp_path / "memory").exists()


def test_a_root_that_is_a_file_is_refused(generate: Generate, tmp_path: Path) -> None:
    (tmp_path / "root").touch()
    refused = generate("--root", tmp_path / "root", "--small")
    assert refused.returncode == 2
    assert "--root" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_second_generation_in_the_same_root_is_refused(
    generate: Generate, tmp_path: Path
) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    refused = generate("--root", tmp_path, "--small")
    os.close(descriptor)
    assert refused.returncode == 2
    assert "another process" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--root"),
        (("--root", "/nowhere", "--rows", "1"), "4000 to 500000"),
        (("--root", "/nowhere", "--rows", "many"), "--rows"),
        (("--root", "/nowhere", "--seed", "x"), "--seed"),
        (("--root", "/nowhere", "--rows", "5000", "--small"), "--small"),
    ],
)
def test_arguments_that_are_wrong_are_refused_by_name(
    generate: Generate, arguments: tuple[str, ...], said: str
) -> None:
    refused = generate(*arguments)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


def test_help_shows_examples(generate: Generate) -> None:
    assert "examples:" in generate("--help").stdout


def test_a_solution_can_be_printed(world: Path, solutions: dict[str, Solutions]) -> None:
    task_id, of_task = next(iter(solutions.items()))
    command = [sys.executable, "-m", "training_sandbox_appworld.world.solutions"]
    arguments = ["--root", str(world), "--task", task_id]
    printed = subprocess.check_output([*command, *arguments], text=True)
    assert printed == "".join(f"```python\n{code}\n```\n\n" for code in of_task.right)


def test_the_solutions_are_one_plain_file(world: Path, solutions: dict[str, Solutions]) -> None:
    content = json.loads((world / "solutions.json").read_text())
    for task_id, of_task in solutions.items():
        assert tuple(content[task_id]["right"]) == of_task.right
        assert tuple(content[task_id]["wrong"]) == of_task.wrong


def _files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
