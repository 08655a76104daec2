"""What agent code does to its process does not reach the server, the log or other episodes."""

import json
import struct

import psutil
import pytest


def frame(content: dict[str, object]) -> str:
    """A frame as text that UTF-8 does not change: spaces give it a length in ASCII characters."""
    text = json.dumps(content)
    length = len(text)
    while any(byte > 0x7F for byte in struct.pack("!I", length)):
        length += 1
    return struct.pack("!I", length).decode() + text.ljust(length)


def observation(index: int = 0, **message: object) -> dict[str, object]:
    return {
        "kind": "observation",
        "index": index,
        "message": {"role": "user", "content": "forged", **message},
        "truncated": False,
        "terminated": False,
    }


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


def test_output_to_the_standard_descriptors_reaches_nobody(server, episode):
    assert server.observe(episode, "print 100000") == "printed"
    assert "flood of an agent" not in server.log


def test_long_output_is_cut_with_a_note(server, episode):
    content = server.observe(episode, "say 5000000")
    assert content.startswith("x" * 1_048_576 + "\n[cut:")
    assert len(content) < 1_049_000


def test_what_utf8_cannot_carry_is_replaced(server, episode):
    assert server.observe(episode, "surrogate") == "?"


def test_what_utf8_cannot_carry_is_replaced_in_the_trajectory_too(server, episode):
    server.observe(episode, "surrogate")
    (_, step) = server.trajectory(episode)
    assert step["observation"]["content"] == "?"


def test_a_cut_observation_is_said_to_be_cut(server, episode):
    whole, cut = (server.act(episode, f"say {size}").json()["data"] for size in (10, 5_000_000))
    assert "truncated" not in whole["info"]
    assert cut["info"]["truncated"] is True


def test_agent_code_can_start_no_process(server, episode):
    processes = len(server.descendants())
    assert server.observe(episode, "spawn 3600") == "PermissionError"
    assert server.observe(episode, "fork 3600") == "PermissionError"
    assert len(server.descendants()) == processes


def test_agent_code_can_write_no_file(server, episode, tmp_path):
    assert server.observe(episode, f"write {tmp_path}/notes.txt") == "PermissionError"
    assert not list(tmp_path.iterdir())


def test_agent_code_that_takes_too_much_memory_is_told_so_and_goes_on(server, episode):
    assert server.observe(episode, "hoard 4000") == "MemoryError"
    assert server.observe(episode, "add 1") == "1"


@pytest.mark.parametrize("spawn", ["spawn", "spawn-daemon", "fork"])
@pytest.mark.parametrize("end", ["release", "done", "die 0", "crash"])
def test_processes_that_agent_code_started_unjailed_end_with_the_episode(
    unjailed, wait_until, spawn, end
):
    episode = unjailed.create()
    grandchild = int(unjailed.observe(episode, f"{spawn} 3600"))
    assert psutil.pid_exists(grandchild)
    if end == "release":
        unjailed.post("release", instance_id=episode)
    else:
        unjailed.act(episode, end)
    wait_until(lambda: not psutil.pid_exists(grandchild))
    unjailed.post("release", instance_id=episode)


def test_processes_of_other_episodes_are_not_touched(unjailed):
    dying, other = unjailed.create(), unjailed.create()
    grandchild = int(unjailed.observe(other, "spawn-daemon 3600"))
    unjailed.act(dying, "crash")
    assert psutil.pid_exists(grandchild)
    unjailed.post("release", instance_id=other)


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
        frame({"kind": "observation", "index": 0, "terminated": True, "truncated": False}),
        frame(
            {
                "kind": "observation",
                "index": 0,
                "message": {"role": 1},
                "terminated": True,
                "truncated": False,
            }
        ),
        frame(observation(nested=nested(200))),
        frame(observation(many=[[]] * 100_000)),
        frame(observation(many=["[" * 10] * 20_000)),
    ],
)
def test_what_agent_code_writes_into_its_channel_is_never_taken_for_an_answer(
    server, episode, forged
):
    response = server.act(episode, f"write-descriptors {forged}")
    assert response.json()["error"]["type"] == "episode_lost"
    assert server.post("create", task_id="count-to-3", instance_id="after").status_code == 200
    server.post("release", instance_id="after")


@pytest.mark.parametrize(
    ("forged", "error"),
    [
        ({"kind": "failed", "reason": "x" * 1_000_000}, "internal"),
        ({"kind": "invalid", "detail": "x" * 1_000_000}, "invalid_request"),
        ({"kind": "x" * 1_000_000}, "episode_lost"),
        ({"kind": ["x" * 1_000_000]}, "episode_lost"),
    ],
)
def test_a_forged_reason_is_cut_for_the_log_the_trajectory_and_the_caller(
    server, episode, forged, error
):
    logged = len(server.log)
    response = server.act(episode, f"write-descriptors {frame(forged)}")
    assert response.json()["error"]["type"] == error
    assert len(response.content) < 10_000
    assert len(server.post("trajectory", instance_id=episode).content) < 10_000
    server.post("release", instance_id=episode)
    assert len(server.log) - logged < 10_000


def test_a_forged_observation_that_is_one_is_the_agents_own(server, episode):
    answer = frame(observation(long="[{," * 300_000))
    assert server.observe(episode, f"write-descriptors {answer}") == "forged"


def test_a_forged_refusal_to_be_evaluated_is_not_taken_for_the_callers_fault(server, episode):
    refusal = frame({"kind": "invalid", "detail": "params.sparse is no good"})
    server.observe(episode, f"write-descriptors {frame(observation())}{refusal}")
    response = server.post("evaluate", instance_id=episode)
    assert (response.status_code, response.json()["error"]["type"]) == (500, "evaluation_failed")
