"""What one episode cannot do to another, to its evaluation, or to the world."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from zygote import RemoteEpisode, RemoteError, Zygote

from training_sandbox_appworld.world.solutions import Solutions

Open = Callable[..., RemoteEpisode]
TaskOf = Callable[[str, str], str]

SIGN_IN = """
accounts = {a['account_name']: a['password'] for a in apis.supervisor.show_account_passwords()}
email = apis.supervisor.show_profile()['email']
token = apis.venmo.login(username=email, password=accounts['venmo'])['access_token']
print(token)
"""


@pytest.fixture
def task_id(task_of: TaskOf) -> str:
    return task_of("send_money", "train")


def test_the_zygote_has_one_thread_and_no_open_database(zygote: Zygote) -> None:
    assert zygote.hello["threads"] == 1
    assert [path for path in zygote.hello["open_files"] if path.endswith(".db")] == []


def test_the_zygotes_own_exits_work(zygote: Zygote) -> None:
    assert zygote.hello["system_exit"] == "SystemExit"


def test_two_episodes_of_a_task_never_touch(
    open_episode: Open, solutions: dict[str, Solutions], task_id: str
) -> None:
    first, second = open_episode(task_id), open_episode(task_id)
    for right, wrong in zip(solutions[task_id].right, solutions[task_id].wrong, strict=True):
        first.run(right)
        second.run(wrong)
    assert first.evaluate() == 1.0
    assert second.evaluate() < 1.0


def test_the_same_code_gets_the_same_token(open_episode: Open, task_id: str) -> None:
    assert open_episode(task_id).run(SIGN_IN) == open_episode(task_id).run(SIGN_IN)


def test_a_logout_does_not_reach_the_next_episode(open_episode: Open, task_id: str) -> None:
    open_episode(task_id).run(SIGN_IN, "apis.venmo.logout(access_token=token)")
    outputs = open_episode(task_id).run(
        SIGN_IN, "print(apis.venmo.show_account(access_token=token))"
    )
    assert "venmo_balance" in outputs[1]


def test_what_code_patches_does_not_reach_the_next_episode(
    open_episode: Open, task_id: str
) -> None:
    open_episode(task_id).run("import calendar; calendar.isleap = None")
    assert "True" in open_episode(task_id).run("print(calendar.isleap(2024))")[0]


def test_an_episode_writes_only_in_its_directory(
    open_episode: Open, solutions: dict[str, Solutions], world: Path, task_id: str, tmp_path: Path
) -> None:
    before = _digest(world)
    home = tmp_path / "home"
    home.mkdir()
    episode = open_episode(task_id, environ={"HOME": str(home)})
    episode.run(*solutions[task_id].right)
    assert episode.evaluate() == 1.0
    assert _digest(world) == before
    assert list(home.iterdir()) == []


def test_a_directory_may_have_any_name(
    zygote: Zygote, solutions: dict[str, Solutions], task_id: str, tmp_path: Path
) -> None:
    directory = tmp_path / "a memory of:memory:"
    directory.mkdir()
    episode = zygote.open(directory, task_id)
    episode.run(*solutions[task_id].right)
    assert episode.evaluate() == 1.0


def test_an_evaluation_that_the_episode_brings_is_not_used(
    open_episode: Open, task_id: str
) -> None:
    episode = open_episode(task_id)
    episode.run("print('nothing')")
    cheat = "def evaluate(test, **_):\n    with test('cheated'): pass\n"
    (episode.directory / "evaluation.py").write_text(cheat)
    assert episode.evaluate() < 1.0


def test_saved_sql_that_is_no_change_of_rows_is_not_executed(
    open_episode: Open, task_id: str, tmp_path: Path
) -> None:
    episode = open_episode(task_id)
    stolen = tmp_path / "stolen.db"
    with (episode.directory / "tasks" / task_id / "dbs" / "venmo.jsonl").open("a") as changes:
        changes.write(f"[\"ATTACH DATABASE '{stolen}' AS stolen\", [], false]\n")
    with pytest.raises(RemoteError, match=r"StateTampered: venmo\.jsonl"):
        episode.evaluate()
    assert not stolen.exists()


@pytest.mark.parametrize("line", ["not json", "[]", "{}", "[1, [], false]", '["", [], false]'])
def test_a_saved_state_of_a_wrong_form_is_refused(
    open_episode: Open, task_id: str, line: str
) -> None:
    episode = open_episode(task_id)
    (episode.directory / "tasks" / task_id / "dbs" / "venmo.jsonl").write_text(line)
    with pytest.raises(RemoteError, match="StateTampered"):
        episode.evaluate()


def test_a_saved_state_that_points_elsewhere_is_refused(
    open_episode: Open, task_id: str, world: Path
) -> None:
    episode = open_episode(task_id)
    changes = episode.directory / "tasks" / task_id / "dbs" / "venmo.jsonl"
    changes.unlink()
    changes.symlink_to(world / "solutions.json")
    with pytest.raises(RemoteError, match="StateTampered"):
        episode.evaluate()


@pytest.fixture
def read_only_zygote(world: Path, tmp_path: Path) -> Iterator[Zygote]:
    """A zygote whose world is a read-only mount, in a mount namespace of its own."""
    root = tmp_path / "read-only"
    shutil.copytree(world, root)
    mount = f"mount --bind {root} {root} && mount -o remount,bind,ro {root}"
    unshare = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*unshare, "sh", "-c", mount], check=False).returncode != 0:
        pytest.skip("this machine allows no mount namespaces")
    zygote = Zygote(root, command=[*unshare, "sh", "-c", f'{mount} && exec "$@"', "sh"])
    yield zygote
    zygote.close()


def test_a_world_on_a_read_only_mount_is_played(
    read_only_zygote: Zygote, solutions: dict[str, Solutions], task_id: str, tmp_path: Path
) -> None:
    directory = tmp_path / "episode"
    directory.mkdir()
    episode = read_only_zygote.open(directory, task_id)
    episode.run(*solutions[task_id].right)
    assert episode.evaluate() == 1.0


def _digest(directory: Path) -> str:
    """Of all names and contents below a directory."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(directory):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()
