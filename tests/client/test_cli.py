"""The command ``tsb``: what it prints and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.client.conftest import Outcome
    from tests.client.support.stub_cluster import StubCluster


def test_tasks_are_printed_one_a_line(tsb: Callable[..., Outcome], endpoint: str) -> None:
    assert tsb("tasks", "--endpoint", endpoint, "--split", "train") == ("task_1\ntask_2\n", "", 0)


def test_what_the_caller_got_wrong_is_one_line_and_exit_status_2(
    tsb: Callable[..., Outcome], endpoint: str
) -> None:
    answer = tsb("tasks", "--endpoint", endpoint, "--split", "nonesuch")
    assert answer == ("", "tsb: unknown_split!\n", 2)


def test_what_does_not_work_is_one_line_and_exit_status_1(tsb: Callable[..., Outcome]) -> None:
    answer = tsb("tasks", "--endpoint", "http://127.0.0.1:9")
    assert answer.stderr == "tsb: no server answers at http://127.0.0.1:9: Connection refused\n"
    assert answer.returncode == 1


def test_options_that_exclude_each_other_are_refused(tsb: Callable[..., Outcome]) -> None:
    answer = tsb("tasks", "--name", "mine", "--local")
    assert answer.returncode == 2
    assert "use one of them" in answer.stderr


def test_a_check_plays_one_step_and_says_that_all_works(
    tsb: Callable[..., Outcome], endpoint: str
) -> None:
    answer = tsb("check", "--endpoint", endpoint)
    assert answer.returncode == 0
    assert answer.stdout.startswith("appworld works: task task_1 was opened, stepped, evaluated")


def test_a_check_of_a_local_server_says_which_interpreter_it_lacks(
    tsb: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("TRAINING_SANDBOX_ENVIRONMENT_PYTHON", "SANDBOX_ENVIRONMENT_PYTHON"):
        monkeypatch.delenv(variable, raising=False)
    answer = tsb("check", "--local")
    assert answer.returncode == 1
    assert "set TRAINING_SANDBOX_ENVIRONMENT_PYTHON=/path/to/venv/bin/python" in answer.stderr


@pytest.mark.parametrize("content", ["", "a: [b\n", "\0", "plain words", "[1]", "kind: Config\n"])
def test_a_file_that_is_no_kubeconfig_is_one_line_that_says_what_to_do(
    tsb: Callable[..., Outcome], tmp_path: Path, content: str
) -> None:
    file = tmp_path / "config"
    file.write_text(content)
    answer = tsb("list", "--kubeconfig", str(file))
    assert answer.returncode == 1
    assert answer.stderr.startswith("tsb: no Kubernetes cluster: ")
    assert str(file) in answer.stderr
    assert "--endpoint" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_an_instance_is_created_listed_and_deleted(
    tsb: Callable[..., Outcome], cluster: StubCluster
) -> None:
    assert tsb("create", "mine", "--slots", "4").stdout == "mine\n"
    assert cluster.objects["mine"]["spec"] == {"envType": "appworld", "slots": 4}
    header, row = tsb("list").stdout.splitlines()
    assert header.split()[:4] == ["NAME", "ENV", "TASK", "PHASE"]
    assert row.split()[:5] == ["mine", "appworld", "-", "Ready:", "ServerReady"]
    assert tsb("delete", "mine") == ("", "", 0)
    assert not cluster.objects


def test_deleting_what_is_not_there_says_so(
    tsb: Callable[..., Outcome], cluster: StubCluster
) -> None:
    answer = tsb("delete", "nonesuch")
    assert answer.returncode == 2
    assert "there is no TrainingInstance nonesuch" in answer.stderr


def test_logs_are_the_pods_last_lines(tsb: Callable[..., Outcome], cluster: StubCluster) -> None:
    cluster.pod_log = "first\nsecond\nthird"
    tsb("create", "mine")
    assert tsb("logs", "mine", "--tail", "2").stdout == "second\nthird\n"


@pytest.mark.parametrize("command", ["tasks", "check", "list", "create", "delete", "logs"])
def test_every_command_shows_an_example(tsb: Callable[..., Outcome], command: str) -> None:
    assert f"tsb {command}" in tsb(command, "--help").stdout.partition("Example")[2]
