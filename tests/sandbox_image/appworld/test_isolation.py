"""What one episode cannot do to another, to its evaluation, or to the world."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from zygote import RemoteEpisode, Zygote

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


@pytest.fixture
def world_without_truth(world: Path, tmp_path: Path) -> Path:
    root = tmp_path / "no-truth"
    shutil.copytree(world, root, ignore=shutil.ignore_patterns("ground_truth", "solutions.json"))
    return root


def test_neither_the_zygote_nor_a_template_reads_a_ground_truth(
    world_without_truth: Path, solutions: dict[str, Solutions], task_id: str
) -> None:
    zygote = Zygote(world_without_truth)
    episode = zygote.template(task_id).open(task_id)
    episode.run(*solutions[task_id].right)
    assert episode.terminated
    zygote.close()


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


@pytest.fixture
def watched_zygote(world: Path, tmp_path: Path) -> Iterator[Zygote]:
    """A zygote for which every place where files are put is in one directory."""
    places = {name: tmp_path / name for name in ("HOME", "TMPDIR", "IPYTHONDIR", "cwd")}
    for place in places.values():
        place.mkdir()
    environ = {name: str(place) for name, place in places.items()}
    zygote = Zygote(world, command=["env", "-C", environ["cwd"]], environ=environ)
    yield zygote
    zygote.close()


def test_no_file_appears_anywhere(
    watched_zygote: Zygote,
    solutions: dict[str, Solutions],
    world: Path,
    task_id: str,
    tmp_path: Path,
) -> None:
    before = _digest(world), _digest(tmp_path)
    episode = watched_zygote.open(task_id, jailed=False)
    episode.run("1 / 0", "import pprint", *solutions[task_id].right)
    state = episode.save()
    assert watched_zygote.evaluate(task_id, state, jailed=False) == 1.0
    template = watched_zygote.template(task_id)
    template.open(task_id, jailed=False).run(*solutions[task_id].right)
    assert template.evaluate(task_id, state, jailed=False) == 1.0
    assert (_digest(world), _digest(tmp_path)) == before
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


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
    read_only_zygote: Zygote, solutions: dict[str, Solutions], task_id: str
) -> None:
    episode = read_only_zygote.open(task_id)
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
