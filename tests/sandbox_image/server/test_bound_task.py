"""A server that was started for one task."""

import json

import pytest

BOUND = {"SANDBOX_TASK_ID": "count-to-10", "SANDBOX_EPISODE_ID": "my-instance"}


@pytest.fixture
def bound(start):
    return start(**BOUND)


def task(server) -> dict[str, object]:
    return server.status()["task"]


def readiness(server) -> object:
    return server.http.get("/readyz").json().get("reason")


def test_its_episode_is_open_when_the_server_is_ready(bound):
    assert bound.observe("my-instance", "add 4") == "4"
    assert task(bound) == {
        "task_id": "count-to-10",
        "episode_id": "my-instance",
        "state": "running",
        "steps": 1,
        "reward": None,
        "finished": False,
    }
    assert bound.status()["slots"] == {"total": 1, "used": 1}


def test_create_answers_its_episode(bound):
    data = bound.data("create", task_id="count-to-10", instance_id="my-instance")
    assert data["state"][1]["content"] == "Count to 10."


def test_it_plays_nothing_else(bound):
    response = bound.post("create", task_id="count-to-10")
    assert (response.status_code, response.json()["error"]["field"]) == (400, "instance_id")
    assert "my-instance" in response.json()["detail"]


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("create_group", {"task_id": "count-to-10", "n": 1, "instance_ids": ["my-instance"]}),
        ("fork", {"instance_id": "my-instance", "n": 1}),
        ("prepare", {"task_ids": ["count-to-10"]}),
    ],
)
def test_it_refuses_what_makes_several_episodes(bound, verb, body):
    response = bound.post(verb, **body)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request")


def test_it_is_finished_when_the_task_terminated_and_was_evaluated(bound):
    bound.act("my-instance", "add 5")
    bound.act("my-instance", "done")
    assert task(bound) | {"state": "terminated", "reward": 0.5, "finished": True} == task(bound)
    assert readiness(bound) == "finished"
    assert bound.http.get("/healthz").status_code == 200


def test_it_can_be_evaluated_when_it_is_finished(bound):
    bound.act("my-instance", "add 10")
    bound.act("my-instance", "done")
    assert bound.data("evaluate", instance_id="my-instance", params={"sparse": True}) == 1.0


def test_it_is_not_finished_while_its_evaluation_fails(bound):
    bound.act("my-instance", "spoil nan")
    assert bound.act("my-instance", "done").status_code == 500
    assert task(bound) | {"state": "terminated", "reward": None, "finished": False} == task(bound)


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (lambda server: server.post("release", instance_id="my-instance"), "released"),
        (lambda server: server.act("my-instance", "crash"), "lost"),
    ],
)
def test_it_is_finished_when_its_episode_is_over(bound, end, state):
    end(bound)
    assert task(bound) | {"state": state, "finished": True} == task(bound)
    assert readiness(bound) == "finished"
    again = bound.post("create", task_id="count-to-10", instance_id="my-instance")
    assert again.json()["error"]["type"] == f"episode_{state}"


def test_it_is_finished_when_its_episode_expired(launch, wait_until):
    server = launch(**BOUND, SANDBOX_EPISODE_IDLE_SECONDS="0.3")
    wait_until(lambda: task(server)["state"] == "expired")
    assert readiness(server) == "finished"


def test_it_stays_evaluable_once_it_terminated(start, wait_until):
    server = start(**BOUND, SANDBOX_EPISODE_IDLE_SECONDS="3")
    server.act("my-instance", "add 10")
    server.act("my-instance", "done")
    wait_until(lambda: server.status()["idle_seconds"] > 5)
    assert server.data("evaluate", instance_id="my-instance") == 1.0


def test_its_params_reach_the_environment(start, tmp_path):
    mark = tmp_path / "closed"
    params = json.dumps({"mark_on_close": str(mark)})
    server = start(**BOUND, SANDBOX_PARAMS=params, SANDBOX_JAIL="off")
    server.post("release", instance_id="my-instance")
    assert mark.exists()


@pytest.mark.parametrize(
    ("settings", "status", "reason"),
    [
        ({"SANDBOX_TASK_ID": "no-such-task"}, 64, "UnknownTask"),
        ({"SANDBOX_PARAMS": '{"speed": 3}'}, 64, "InvalidTask"),
        ({"SANDBOX_TASK_ID": "broken"}, 70, "TaskFailed"),
        ({"SANDBOX_TASK_ID": "slow", "SANDBOX_STEP_TIMEOUT_SECONDS": "0.5"}, 70, "TaskFailed"),
    ],
)
def test_a_task_that_cannot_be_opened_ends_the_server(launch, settings, status, reason):
    server = launch(**(BOUND | settings))
    assert server.wait_for_exit() == status
    (line,) = [line for line in server.lines if line.startswith("{")]
    assert json.loads(line)["reason"] == reason
    assert json.loads(line)["message"]


def bind(server, **body: object):
    return server.post("bind", **{"task_id": "count-to-10", "instance_id": "my-instance", **body})


def test_an_open_server_can_be_bound_later(start):
    server = start(SANDBOX_SLOTS="4")
    answer = bind(server).json()["data"]
    assert answer["slots"] == {"total": 1, "used": 1}
    assert (answer["task"]["episode_id"], answer["task"]["state"]) == ("my-instance", "running")
    assert server.observe("my-instance", "add 4") == "4"
    assert server.post("create", task_id="count-to-10").status_code == 400


def test_a_run_of_the_container_that_never_became_a_server_does_not_keep_a_task_from_it(start):
    server = start(SANDBOX_POD_UID="0b5c-uid")
    assert server.status()["incarnation"] == "0b5c-uid-0"
    answer = bind(server, incarnation="0b5c-uid-1").json()["data"]
    assert (answer["task"]["state"], answer["incarnation"]) == ("running", "0b5c-uid-0")


def test_a_former_life_cannot_be_bound(start, tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "starts").write_text("2\n")
    server = start(SANDBOX_POD_UID="0b5c-uid")
    response = bind(server, incarnation="0b5c-uid-1")
    assert (response.status_code, response.json()["error"]["type"]) == (410, "episode_lost")


def test_to_bind_the_same_task_again_changes_nothing(start):
    server = start()
    bind(server)
    server.observe("my-instance", "add 4")
    assert bind(server).json()["data"]["task"]["steps"] == 1
    server.post("release", instance_id="my-instance")
    assert bind(server).json()["data"]["task"]["state"] == "released"


def test_it_is_bound_once(start):
    server = start()
    bind(server)
    for other in ({"task_id": "count-to-3"}, {"instance_id": "another"}, {"params": {"seed": 1}}):
        response = bind(server, **other)
        assert (response.status_code, response.json()["error"]["type"]) == (409, "already_bound")


def test_a_server_in_use_is_not_bound(start):
    server = start()
    server.data("create", task_id="count-to-10", instance_id="somebody-elses")
    assert bind(server).json()["error"]["type"] == "already_bound"
    assert server.observe("somebody-elses", "add 4") == "4"


def test_a_server_that_is_finished_says_so_though_it_was_bound_later(start):
    server = start()
    bind(server)
    server.act("my-instance", "add 10")
    server.act("my-instance", "done")
    assert readiness(server) == "finished"


def test_a_task_that_cannot_be_bound_leaves_the_server_open(start):
    server = start()
    for body, status, kind in (
        ({"task_id": "no-such-task"}, 404, "unknown_task"),
        ({"instance_id": None}, 400, "invalid_request"),
        ({"incarnation": "another-0"}, 410, "episode_lost"),
    ):
        response = bind(server, **body)
        assert (response.status_code, response.json()["error"]["type"]) == (status, kind)
        assert server.status()["task"] is None
