import pytest

from training_sandbox_server.state_directory import StateDirectory, StateDirectoryError


def test_starts_are_counted_from_zero(tmp_path):
    for expected in range(3):
        with StateDirectory(tmp_path / "state") as directory:
            assert directory.start == expected


def test_starts_are_counted_on_when_only_the_folder_of_the_counter_is_left(tmp_path):
    for expected in range(3):
        state = tmp_path / f"state-{expected}"
        with StateDirectory(state, starts=tmp_path / "starts") as directory:
            assert directory.start == expected
            assert directory.new_trajectory().is_relative_to(state)


def test_what_a_former_start_left_is_removed(tmp_path):
    left = tmp_path / "trajectories" / "000007.jsonl"
    left.parent.mkdir()
    left.touch()
    with StateDirectory(tmp_path):
        assert not left.exists()


def test_trajectories_get_paths_of_their_own_in_a_private_folder(tmp_path):
    with StateDirectory(tmp_path) as directory:
        paths = [directory.new_trajectory() for _ in range(3)]
        assert len(set(paths)) == 3
        for path in paths:
            assert not path.exists()
            assert path.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_of_the_episodes_is_left_at_the_end(tmp_path):
    with StateDirectory(tmp_path) as directory:
        directory.new_trajectory().touch()
    assert not (tmp_path / "trajectories").exists()


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


def test_a_folder_of_the_counter_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(StateDirectoryError, match="file/starts"),
        StateDirectory(tmp_path / "state", starts=tmp_path / "file" / "starts"),
    ):
        pass
