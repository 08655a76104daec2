from pathlib import Path

import pytest

from training_sandbox_appworld.data import read_splits
from training_sandbox_appworld.library import WorldUnusable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with the directories of a world, and no tasks."""
    for name in ("api_docs/standard", "base_dbs", "datasets", "tasks"):
        (tmp_path / "data" / name).mkdir(parents=True)
    return tmp_path


def test_the_ids_of_each_split_are_read(root: Path) -> None:
    (root / "data/datasets/train.txt").write_text("a_1\na_2\n\n")
    (root / "data/datasets/dev.txt").write_text("b_1\n")
    assert read_splits(root) == {"train": ["a_1", "a_2"], "dev": ["b_1"]}


def test_tags_and_spaces_are_not_part_of_an_id(root: Path) -> None:
    (root / "data/datasets/train.txt").write_text(" a_1:hard \n")
    assert read_splits(root) == {"train": ["a_1"]}


def test_a_root_without_a_world_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WorldUnusable) as refused:
        read_splits(tmp_path / "nowhere")
    for hint in ("nowhere", "APPWORLD_ROOT", "APPWORLD_DATA=download", "synthetic", "Mount"):
        assert hint in str(refused.value)


def test_a_world_that_is_not_whole_is_refused_by_what_is_missing(root: Path) -> None:
    (root / "data" / "base_dbs").rmdir()
    with pytest.raises(WorldUnusable, match="base_dbs"):
        read_splits(root)


def test_a_world_without_tasks_is_refused(root: Path) -> None:
    (root / "data/datasets/train.txt").write_text("\n")
    with pytest.raises(WorldUnusable, match="no tasks"):
        read_splits(root)
