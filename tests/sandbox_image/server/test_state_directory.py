import os

import pytest

from training_sandbox_server.state_directory import (
    StateDirectory,
    StateDirectoryError,
    remove_tree,
)


def test_starts_are_counted_from_zero(tmp_path):
    for expected in range(3):
        with StateDirectory(tmp_path / "state") as directory:
            assert directory.start == expected


def test_what_a_former_start_left_is_removed(tmp_path):
    left = tmp_path / "episodes" / "000007"
    left.mkdir(parents=True)
    with StateDirectory(tmp_path):
        assert not left.exists()


def test_episodes_get_private_empty_directories_of_their_own(tmp_path):
    with StateDirectory(tmp_path) as directory:
        paths = [directory.new_episode() for _ in range(3)]
        assert len(set(paths)) == 3
        for path in paths:
            assert not list(path.iterdir())
            assert path.stat().st_mode & 0o777 == 0o700


def test_a_directory_in_use_is_refused(tmp_path):
    with (
        StateDirectory(tmp_path),
        pytest.raises(StateDirectoryError, match="in use by another server"),
        StateDirectory(tmp_path),
    ):
        pass


def test_a_directory_can_be_used_after_its_server_ended(tmp_path):
    with StateDirectory(tmp_path):
        pass
    with StateDirectory(tmp_path) as directory:
        assert directory.start == 1


@pytest.mark.parametrize("spoil", [lambda path: path.write_text(""), lambda path: path.mkdir()])
def test_a_counter_that_cannot_be_read_is_an_error(tmp_path, spoil):
    spoil(tmp_path / "starts")
    with pytest.raises(StateDirectoryError, match="cannot be used"), StateDirectory(tmp_path):
        pass


def test_a_tree_without_permissions_is_removed_and_what_it_links_to_is_left(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o500)
    (outside / "kept").mkdir()
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "link").symlink_to(outside)
    for path in (tree / "a" / "b", tree / "a", tree):
        path.chmod(0)
    remove_tree(tree)
    assert not os.path.lexists(tree)
    assert (outside / "kept").exists()
    assert outside.stat().st_mode & 0o777 == 0o500
