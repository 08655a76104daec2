"""An episode's steps, evaluations and errors, as they can be read while it lives."""

import pytest


def kinds(trajectory) -> list[str]:
    return [line["type"] for line in trajectory]


def message(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


def test_a_trajectory_begins_with_the_episode(server):
    created = server.data("create", task_id="count-to-3", params={"note": 1})
    episode = created["info"]["instance_id"]
    (line,) = server.trajectory(episode)
    server.post("release", instance_id=episode)
    assert line == {
        "type": "episode",
        "environment": "counter",
        "task_id": "count-to-3",
        "params": {"note": 1},
        "instance_id": episode,
        "incarnation": server.status()["incarnation"],
        "messages": created["state"],
    }


def test_a_step_is_recorded_with_its_observation_and_how_long_it_took(server, episode):
    server.act(episode, "add 4")
    _, step = server.trajectory(episode)
    assert step.pop("seconds") > 0
    assert step == {
        "type": "step",
        "index": 0,
        "action": message("add 4"),
        "observation": {"role": "user", "content": "4"},
        "is_terminated": False,
    }


def test_a_repeated_step_is_recorded_once(server, episode):
    for _ in range(3):
        server.act(episode, "add 4", step_index=0)
    assert kinds(server.trajectory(episode)) == ["episode", "step"]


def test_evaluations_are_recorded_where_they_happened(server, episode):
    server.act(episode, "add 5")
    server.data("evaluate", instance_id=episode, params={"sparse": True})
    server.act(episode, "add 5")
    server.act(episode, "done")
    trajectory = server.trajectory(episode)
    assert kinds(trajectory) == ["episode", "step", "evaluation", "step", "step", "evaluation"]
    assert trajectory[2] == {"type": "evaluation", "sparse": True, "reward": 0.0, "steps": 1}
    assert trajectory[4]["is_terminated"] is True
    assert trajectory[5] == {"type": "evaluation", "sparse": False, "reward": 1.0, "steps": 3}


def test_errors_are_recorded_and_carry_no_reward(server, episode):
    server.act(episode, "juggle")
    server.act(episode, "add 1", step_index=7)
    server.act(episode, "spoil nan")
    server.post("evaluate", instance_id=episode)
    trajectory = server.trajectory(episode)
    assert kinds(trajectory) == ["episode", "error", "error", "step", "error"]
    told = [line["error"]["type"] for line in trajectory if line["type"] == "error"]
    assert told == ["invalid_request", "out_of_order", "evaluation_failed"]
    assert all(line["error"]["detail"] for line in trajectory if line["type"] == "error")
    assert not any("reward" in line for line in trajectory)


def test_a_branch_has_its_parents_steps_and_then_its_own(server, episode):
    server.act(episode, "add 1")
    data = server.data("fork", instance_id=episode, n=1)["episodes"][0]
    branch = data["info"]["instance_id"]
    server.act(branch, "add 2")
    server.act(episode, "add 3")
    trajectory = server.trajectory(branch)
    server.post("release", instance_id=branch)
    assert (trajectory[0]["instance_id"], trajectory[0]["parent"]) == (branch, episode)
    assert [step["action"]["content"] for step in trajectory[1:]] == ["add 1", "add 2"]
    assert [step["index"] for step in trajectory[1:]] == [0, 1]


def test_long_trajectories_are_read_whole(server, episode):
    for size in range(400_000, 400_010):
        server.act(episode, f"say {size}")
    sizes = [len(step["observation"]["content"]) for step in server.trajectory(episode)[1:]]
    assert sizes == list(range(400_000, 400_010))


def test_a_trajectory_past_its_limit_says_that_it_is_cut(start):
    server = start(SANDBOX_TRAJECTORY_MAX_MB="1")
    episode = server.create()
    for _ in range(3):
        server.act(episode, "say 600000")
    assert kinds(server.trajectory(episode)) == ["episode", "step", "cut"]
    assert server.observe(episode, "add 1") == "1"


def test_the_trajectory_goes_with_the_episode(start, tmp_path, wait_until):
    server = start()
    files = tmp_path / "state" / "trajectories"
    episode = server.create()
    server.act(episode, "say 500000")
    wait_until(lambda: list(files.iterdir()))
    server.post("release", instance_id=episode)
    assert not list(files.iterdir())
    response = server.post("trajectory", instance_id=episode)
    assert (response.status_code, response.json()["error"]["type"]) == (410, "episode_released")


@pytest.mark.parametrize("end", ["add 10", "add 2"])
def test_a_trajectory_played_again_gives_the_same_observations_and_reward(server, episode, end):
    for action in ("random", "add 1", end, "random", "done"):
        server.act(episode, action)
    header, *recorded = server.trajectory(episode)
    again = server.create(header["task_id"], params=header["params"])
    for line in (line for line in recorded if line["type"] == "step"):
        server.post("step", instance_id=again, messages=line["action"], step_index=line["index"])
    _, *replayed = server.trajectory(again)
    server.post("release", instance_id=again)
    for line in (*recorded, *replayed):
        line.pop("seconds", None)
    assert replayed == recorded
