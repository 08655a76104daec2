"""What agent code does to its process does not reach the server, the log or other episodes."""

import json
from pathlib import Path

import psutil
import pytest


def test_output_to_the_standard_descriptors_reaches_nobody(server, episode):
    assert server.observe(episode, "print 100000") == "printed"
    assert "flood of an agent" not in server.log


def test_long_output_is_cut_with_a_note(server, episode):
    content = server.observe(episode, "say 5000000")
    assert content.startswith("x" * 1_048_576 + "\n[cut:")
    assert len(content) < 1_049_000


def test_what_utf8_cannot_carry_is_replaced(server, episode):
    assert server.observe(episode, "surrogate") == "?"


@pytest.mark.parametrize("spawn", ["spawn", "spawn-daemon"])
@pytest.mark.parametrize("end", ["release", "done", "die 0", "kill 9"])
def test_processes_that_agent_code_started_end_with_the_episode(
    server, episode, wait_until, spawn, end
):
    grandchild = int(server.observe(episode, f"{spawn} 3600"))
    assert psutil.pid_exists(grandchild)
    if end == "release":
        server.post("release", instance_id=episode)
    else:
        server.act(episode, end)
    wait_until(lambda: not psutil.pid_exists(grandchild))


def test_processes_of_other_episodes_are_not_touched(server, episode):
    other = server.create()
    grandchild = int(server.observe(other, "spawn-daemon 3600"))
    server.act(episode, "kill 9")
    assert psutil.pid_exists(grandchild)
    server.post("release", instance_id=other)


def test_a_process_has_no_descriptors_of_the_server_or_of_other_episodes(server, episode):
    alone = server.observe(episode, "descriptors")
    others = [server.create() for _ in range(3)]
    assert server.observe(others[-1], "descriptors") == alone
    for other in others:
        server.post("release", instance_id=other)


@pytest.mark.parametrize(
    "forged",
    [
        "garbage",
        "\u0000\u0000\u0000\u0002[]",
        "\u007f\u007f\u007f\u007f",
        "\u0000\u0000\u0000\u0011" + json.dumps({"kind": "reward"}),
    ],
)
def test_what_agent_code_writes_into_its_channel_is_never_taken_for_an_answer(
    server, episode, forged
):
    response = server.act(episode, f"write-descriptors {forged}")
    assert response.json()["error"]["type"] == "episode_lost"
    assert server.post("create", task_id="count-to-3", instance_id="after").status_code == 200
    server.post("release", instance_id="after")


def test_files_written_without_a_path_go_with_the_episode(server, episode):
    written = Path(server.observe(episode, "write notes.txt"))
    assert written.exists()
    server.post("release", instance_id=episode)
    assert not written.exists()


def test_a_directory_that_agent_code_locked_is_removed(server, episode):
    directory = Path(server.observe(episode, "where"))
    server.act(episode, "lock hidden")
    server.post("release", instance_id=episode)
    assert not directory.exists()
