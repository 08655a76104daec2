"""Branches of a running episode: each goes on by itself from where the parent stood."""

import psutil
import pytest

from tests.sandbox_image.conftest import RunningServer


def ids(branches) -> list[str]:
    return [branch["info"]["instance_id"] for branch in branches]


def error(response) -> tuple[int, str]:
    assert response.json()["success"] is False
    return response.status_code, response.json()["error"]["type"]


@pytest.fixture(scope="module")
def server(run_server, tmp_path_factory):
    """In this module: a server with room for branches."""
    state = str(tmp_path_factory.mktemp("forks"))
    with run_server({"SANDBOX_STATE_DIR": state, "SANDBOX_SLOTS": "12"}) as server:
        yield server.wait_until_ready()


@pytest.fixture
def parent(server):
    """An episode that has counted to 4 in two steps; in the end all episodes are released."""
    made: list[str] = [server.create()]
    server.act(made[0], "add 1")
    server.act(made[0], "add 3")
    server.made = made
    yield made[0]
    for episode in made:
        server.post("release", instance_id=episode)


def fork(server: RunningServer, episode_id: str, n: int = 2, **body: object):
    branches = server.data("fork", instance_id=episode_id, n=n, **body)["episodes"]
    server.made += ids(branches)
    return branches


def test_a_branch_goes_on_from_where_its_parent_stood(server, parent):
    for branch in ids(fork(server, parent)):
        assert server.observe(branch, "add 1") == "5"
    assert server.observe(parent, "add 5") == "9"


def test_a_fork_answers_the_last_observation_and_the_next_index(server, parent):
    for branch in fork(server, parent):
        assert branch["state"] == [{"role": "user", "content": "4"}]
        assert branch["info"] == {
            "instance_id": branch["info"]["instance_id"],
            "task_id": "count-to-10",
            "incarnation": server.status()["incarnation"],
            "parent": parent,
            "step_index": 2,
        }


def test_before_the_first_step_a_fork_answers_what_the_task_starts_with(server, parent):
    fresh = server.data("create", task_id="count-to-3")
    server.made.append(fresh["info"]["instance_id"])
    (branch,) = fork(server, fresh["info"]["instance_id"], n=1)
    assert (branch["state"], branch["info"]["step_index"]) == (fresh["state"], 0)


def test_ids_of_branches_are_numbered_after_the_parent(server, parent):
    assert ids(fork(server, parent)) == [f"{parent}.1", f"{parent}.2"]
    assert ids(fork(server, parent, n=1)) == [f"{parent}.3"]


def test_ids_of_branches_of_long_ids_are_ids_too(server, parent):
    server.made.append(server.create(instance_id="x" * 128))
    (branch,) = ids(fork(server, "x" * 128, n=1))
    assert server.observe(branch, "add 1") == "1"


def test_branches_and_parent_go_on_with_the_same_random_numbers(server, parent):
    branches = ids(fork(server, parent))
    assert len({server.observe(episode, "random") for episode in (parent, *branches)}) == 1


def test_reseeded_branches_go_on_with_random_numbers_of_their_own(server, parent):
    branches = ids(fork(server, parent, n=3, reseed=True))
    assert len({server.observe(episode, "random") for episode in (parent, *branches)}) == 4
    assert len({server.observe(branch, "seeds") for branch in branches}) == 3


def test_the_parents_last_step_is_answered_in_a_branch_too(server, parent):
    (branch,) = ids(fork(server, parent, n=1))
    assert server.observe(branch, "add 3", step_index=1) == "4"
    assert server.observe(branch, "add 1", step_index=2) == "5"
    assert error(server.act(branch, "add 1", step_index=0)) == (409, "out_of_order")


def test_branches_are_evaluated_apart(server, parent):
    first, second = ids(fork(server, parent))
    server.act(first, "add 6")
    rewards = [server.data("evaluate", instance_id=it) for it in (parent, first, second)]
    assert rewards == [0.4, 1.0, 0.4]


def test_a_branch_is_terminated_by_itself(server, parent):
    (branch,) = ids(fork(server, parent, n=1))
    assert server.act(branch, "done").json()["data"]["reward"] == 0.4
    assert server.observe(parent, "add 1") == "5"


def test_forks_fork(server, parent):
    (child,) = ids(fork(server, parent, n=1))
    server.act(child, "add 1")
    (grandchild,) = fork(server, child, n=1)
    assert grandchild["info"] | {"parent": child, "step_index": 3} == grandchild["info"]
    assert server.observe(ids([grandchild])[0], "add 1") == "6"


def test_a_parent_and_its_branches_fork_at_the_same_time(server, parent, in_background):
    family = [parent, *ids(fork(server, parent, n=3))]
    for episode in family:
        server.act(episode, "in-fork sleep 0.2")
    forks = [in_background(fork, server, episode, n=2) for episode in family]
    grandchildren = [it for call in forks for it in ids(call.result())]
    assert {server.observe(it, "add 1") for it in (*family, *grandchildren)} == {"5"}


@pytest.mark.parametrize("end", ["release", "done", "die 0", "crash"])
def test_branches_outlive_their_parent(server, parent, end):
    branches = ids(fork(server, parent))
    if end == "release":
        server.post("release", instance_id=parent)
    else:
        server.act(parent, end)
    assert [server.observe(branch, "add 1") for branch in branches] == ["5", "5"]


@pytest.mark.parametrize("end", ["release", "done", "die 0", "crash"])
def test_a_parent_outlives_its_branches(server, parent, wait_until, end):
    (branch,) = ids(fork(server, parent, n=1))
    player = int(server.observe(branch, "pid"))
    if end == "release":
        server.post("release", instance_id=branch)
    else:
        server.act(branch, end)
    assert server.observe(parent, "add 1") == "5"
    wait_until(lambda: not psutil.pid_exists(player))


def test_a_branch_that_is_killed_is_lost_alone(server, parent, wait_until):
    first, second = ids(fork(server, parent))
    psutil.Process(int(server.observe(first, "pid"))).kill()
    wait_until(lambda: error(server.act(first, "add 0")) == (410, "episode_lost"))
    assert server.observe(second, "add 1") == "5"


def test_a_fork_waits_for_the_step_that_runs(server, parent, in_background, wait_until):
    step = in_background(server.act, parent, "sleep 1")
    wait_until(lambda: server.status()["idle_seconds"] == 0.0)
    (branch,) = fork(server, parent, n=1)
    assert not step.is_alive()
    assert branch["state"][0]["content"] == "slept"


def test_the_same_fork_is_answered_again(server, parent):
    first = fork(server, parent, instance_ids=["left", "right"])
    server.act("left", "add 1")
    assert fork(server, parent, instance_ids=["left", "right"]) == first
    assert server.observe("left", "add 1") == "6"


def test_forks_of_the_same_ids_at_once_are_one_fork(server, parent, in_background):
    body = {"instance_id": parent, "n": 2, "instance_ids": ["left", "right"]}
    server.made += ["left", "right"]
    calls = [in_background(server.data, "fork", **body) for _ in range(4)]
    answers = [call.result() for call in calls]
    assert all(answer == answers[0] for answer in answers)


def test_a_fork_with_other_arguments_is_refused(server, parent):
    fork(server, parent, instance_ids=["left", "right"])
    for other in (
        {"instance_ids": ["left", "right"], "reseed": True},
        {"instance_ids": ["left", "other"]},
        {"instance_ids": ["left", parent]},
    ):
        response = server.post("fork", instance_id=parent, n=2, **other)
        assert error(response) == (409, "episode_exists")


def test_a_fork_after_a_further_step_is_another_fork(server, parent):
    fork(server, parent, instance_ids=["left", "right"])
    server.act(parent, "add 1")
    response = server.post("fork", instance_id=parent, n=2, instance_ids=["left", "right"])
    assert error(response) == (409, "episode_exists")


def test_a_create_under_the_id_of_a_branch_is_refused(server, parent):
    fork(server, parent, n=1, instance_ids=["branch"])
    response = server.post("create", task_id="count-to-10", instance_id="branch")
    assert error(response) == (409, "episode_exists")


def test_without_room_for_all_branches_there_is_none(server, parent):
    used = server.used_slots()
    response = server.post("fork", instance_id=parent, n=12)
    assert error(response) == (429, "full")
    assert server.used_slots() == used
    assert server.observe(parent, "add 1") == "5"


def test_an_episode_forks_as_often_as_there_can_be_slots(start):
    server = start(SANDBOX_SLOTS="256")
    parent = server.create()
    server.act(parent, "add 4")
    branches = ids(server.data("fork", instance_id=parent, n=255, reseed=True)["episodes"])
    assert len(set(branches)) == 255
    assert {server.observe(branch, "add 1") for branch in branches} == {"5"}
    assert len({server.observe(branch, "seeds") for branch in branches}) == 255


def test_a_terminated_episode_does_not_fork(server, parent):
    server.act(parent, "done")
    response = server.post("fork", instance_id=parent, n=100)
    assert error(response) == (409, "episode_terminated")


def test_an_episode_that_is_over_does_not_fork(server, parent):
    server.post("release", instance_id=parent)
    assert error(server.post("fork", instance_id=parent, n=1)) == (410, "episode_released")


@pytest.mark.parametrize("forks", [0, 1])
def test_without_processes_for_all_branches_there_is_none_and_the_episode_goes_on(
    server, parent, wait_until, forks
):
    used, processes = server.used_slots(), server.processes_of_episodes()
    server.act(parent, f"forks-left {forks}")
    response = server.post("fork", instance_id=parent, n=2)
    assert error(response) == (429, "full")
    assert "Resource temporarily unavailable" in response.json()["detail"]
    assert server.used_slots() == used
    wait_until(lambda: server.processes_of_episodes() == processes)
    server.act(parent, "forks-left 2")
    assert server.observe(parent, "add 1") == "5"
    assert [server.observe(branch, "add 1") for branch in ids(fork(server, parent))] == ["6", "6"]


def test_an_episode_with_a_thread_does_not_fork_and_goes_on(server, parent):
    server.act(parent, "thread 3600")
    assert error(server.post("fork", instance_id=parent, n=1)) == (501, "fork_unsupported")
    assert server.observe(parent, "add 1") == "5"


def test_branches_on_their_way_end_with_a_fork_that_failed(server, parent, wait_until):
    processes = server.processes_of_episodes()
    server.act(parent, "forks-left 1")
    server.act(parent, "on-the-way sleep 600")
    assert error(server.post("fork", instance_id=parent, n=2)) == (429, "full")
    wait_until(lambda: server.processes_of_episodes() == processes)


def test_a_branch_that_dies_on_its_way_leaves_the_episode_as_it_was(start):
    server = start(SANDBOX_STEP_TIMEOUT_SECONDS="3600")
    parent = server.create()
    server.act(parent, "on-the-way die 0")
    assert error(server.post("fork", instance_id=parent, n=1)) == (429, "full")
    assert server.used_slots() == 1
    assert server.observe(parent, "add 1") == "1"


@pytest.mark.parametrize("when", ["on-the-way", "in-branches"])
def test_a_fork_does_not_wait_for_branches_of_a_parent_that_was_released(
    start, in_background, wait_until, when
):
    server = start(SANDBOX_STEP_TIMEOUT_SECONDS="3600")
    parent = server.create()
    server.act(parent, f"{when} sleep 3000")
    call = in_background(server.post, "fork", instance_id=parent, n=2)
    wait_until(lambda: server.processes_of_episodes() == 3)
    server.post("release", instance_id=parent)
    assert error(call.result()) == (410, "episode_released")
    wait_until(lambda: server.used_slots() == server.processes_of_episodes() == 0)


@pytest.mark.parametrize("in_fork", ["die 3", "crash", "raise no"])
def test_a_fork_that_fails_ends_the_episode_and_leaves_no_branch(
    server, parent, wait_until, in_fork
):
    processes = server.processes_of_episodes()
    server.act(parent, f"in-fork {in_fork}")
    body = {"instance_id": parent, "n": 2, "instance_ids": ["left", "right"]}
    assert error(server.post("fork", **body)) == (410, "episode_lost")
    assert error(server.act(parent, "add 1")) == (410, "episode_lost")
    assert error(server.act("left", "add 1")) == (404, "episode_not_found")
    # The parent ends; those of an earlier test may still have been ending.
    wait_until(lambda: server.processes_of_episodes() <= processes - 1)


def test_a_fork_past_its_deadline_ends_the_episode(start):
    server = start(SANDBOX_STEP_TIMEOUT_SECONDS="1")
    parent = server.create()
    server.act(parent, "in-fork sleep 600")
    assert error(server.post("fork", instance_id=parent, n=1)) == (504, "step_deadline")
    assert error(server.act(parent, "add 1")) == (410, "episode_lost")
    assert server.used_slots() == 0


def test_branches_that_do_not_begin_in_time_are_ended(start, wait_until):
    server = start(SANDBOX_STEP_TIMEOUT_SECONDS="1")
    parent = server.create()
    server.act(parent, "in-branches sleep 600")
    assert error(server.post("fork", instance_id=parent, n=2)) == (504, "step_deadline")
    wait_until(lambda: server.processes_of_episodes() == 0)


def test_a_fork_is_told_when_its_parent_is_released_meanwhile(
    server, parent, in_background, wait_until
):
    before = server.used_slots()
    server.act(parent, "in-fork sleep 600")
    call = in_background(server.post, "fork", instance_id=parent, n=2)
    wait_until(lambda: server.used_slots() == before + 2)
    server.post("release", instance_id=parent)
    assert error(call.result()) == (410, "episode_released")
    wait_until(lambda: server.used_slots() == before - 1)


def test_no_branch_begins_when_its_parent_is_released_meanwhile(
    server, parent, in_background, wait_until
):
    before = server.used_slots()
    server.act(parent, "in-branches sleep 2")
    processes = server.processes_of_episodes()
    call = in_background(server.post, "fork", instance_id=parent, n=1)
    wait_until(lambda: server.processes_of_episodes() > processes)
    server.post("release", instance_id=parent)
    assert error(call.result()) == (410, "episode_released")
    wait_until(lambda: server.used_slots() == before - 1)


def test_agent_code_cannot_use_what_a_fork_opened(server, parent):
    (branch,) = ids(fork(server, parent, n=1))
    for episode in (parent, branch):
        assert server.observe(episode, "fork 1") == "PermissionError"


def test_a_branch_is_not_killed_for_what_another_was_refused(server, parent):
    (branch,) = ids(fork(server, parent, n=1))
    assert server.observe(branch, "fork-bomb 999") == "999"
    assert server.observe(parent, "fork-bomb 2") == "2"


def test_where_running_episodes_cannot_be_forked_that_is_said(unjailed):
    episode = unjailed.create()
    response = unjailed.post("fork", instance_id=episode, n=1)
    assert error(response) == (501, "fork_unsupported")
    assert unjailed.observe(episode, "add 1") == "1"
    unjailed.post("release", instance_id=episode)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"n": 1}, "instance_id"),
        ({"instance_id": "a"}, "n"),
        ({"instance_id": "a", "n": True}, "n"),
        ({"instance_id": "a", "n": 1, "reseed": "yes"}, "reseed"),
        ({"instance_id": "a", "n": 1, "instance_ids": []}, "instance_ids"),
    ],
)
def test_a_wrong_field_is_named(server, body, field):
    response = server.post("fork", **body)
    assert error(response) == (400, "invalid_request")
    assert response.json()["error"]["field"] == field
