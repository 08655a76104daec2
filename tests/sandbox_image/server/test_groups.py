"""Several episodes of one task, made at once or not at all."""

import psutil
import pytest

TASK = "count-to-10"


@pytest.fixture
def group(server):
    """Create a group; its episodes are released in the end."""
    ids: list[str] = []

    def _group(**body: object) -> list[dict[str, object]]:
        episodes = server.data("create_group", **({"task_id": TASK} | body))["episodes"]
        ids.extend(episode["info"]["instance_id"] for episode in episodes)
        return episodes

    yield _group
    for episode_id in ids:
        server.post("release", instance_id=episode_id)


def ids(episodes) -> list[str]:
    return [episode["info"]["instance_id"] for episode in episodes]


def error(response) -> tuple[int, str]:
    body = response.json()
    assert body["success"] is False
    assert "reward" not in response.text
    return response.status_code, body["error"]["type"]


def test_a_group_is_episodes_of_one_task(server, group):
    episodes = group(n=3)
    assert len(set(ids(episodes))) == 3
    for episode in episodes:
        assert episode["state"][1]["content"] == "Count to 10."
        assert episode["info"]["task_id"] == TASK
        assert episode["info"]["incarnation"] == server.status()["incarnation"]


def test_its_episodes_do_not_share_state(server, group):
    first, second = ids(group(n=2))
    server.act(first, "add 4")
    assert server.observe(second, "add 1") == "1"


def test_its_task_is_opened_once(server, group):
    opened_by = {server.observe(episode, "opened-by") for episode in ids(group(n=3))}
    assert len(opened_by) == 1


def test_its_episodes_start_with_the_same_random_numbers(server, group):
    assert len({server.observe(episode, "random") for episode in ids(group(n=3))}) == 1


def test_ids_may_be_given(group):
    assert ids(group(n=2, instance_ids=["b", "a"])) == ["b", "a"]


def test_ids_are_numbered_after_a_name_for_the_group(group):
    assert ids(group(n=2, instance_id="named")) == ["named-0", "named-1"]


def test_the_same_group_is_answered_again(server, group):
    first = group(n=2, instance_id="same")
    server.act("same-0", "add 4")
    assert group(n=2, instance_ids=["same-0", "same-1"]) == first
    assert server.observe("same-0", "add 1") == "5"


def test_groups_of_the_same_ids_at_once_are_one_group(server, in_background):
    body = {"task_id": "count-to-3", "n": 2, "instance_id": "at-once"}
    calls = [in_background(server.data, "create_group", **body) for _ in range(4)]
    answers = [call.result() for call in calls]
    assert all(answer == answers[0] for answer in answers)
    for episode in ids(answers[0]["episodes"]):
        server.post("release", instance_id=episode)


@pytest.mark.parametrize(
    "other",
    [
        {"instance_ids": ["taken-0", "new"]},
        {"instance_ids": ["taken-0", "taken-1"], "params": {"note": 1}},
        {"instance_ids": ["taken-0", "taken-1"], "task_id": "count-to-3"},
    ],
)
def test_ids_that_are_in_use_are_refused_and_nothing_is_made(server, group, other):
    group(n=2, instance_id="taken")
    used = server.used_slots()
    response = server.post("create_group", **({"task_id": TASK, "n": 2} | other))
    assert error(response) == (409, "episode_exists")
    assert server.used_slots() == used
    assert error(server.act("new", "add 1")) == (404, "episode_not_found")


def test_without_room_for_all_none_is_made(server, group):
    group(n=1)
    free = server.status()["slots"]["total"] - server.used_slots()
    response = server.post("create_group", task_id=TASK, n=free + 1, instance_id="many")
    assert error(response) == (429, "full")
    assert int(response.headers["retry-after"]) >= 1
    group(n=free)


def test_more_than_there_are_slots_will_never_fit(server):
    total = server.status()["slots"]["total"]
    response = server.post("create_group", task_id=TASK, n=total + 1)
    assert error(response) == (400, "invalid_request")
    assert f"n must be at most {total}" in response.json()["detail"]


@pytest.mark.parametrize(
    ("task_id", "kind"), [("broken", (500, "internal")), ("dying", (500, "internal"))]
)
def test_a_failure_of_one_leaves_nothing_of_any(server, wait_until, task_id, kind):
    used, processes = server.used_slots(), server.processes_of_episodes()
    response = server.post("create_group", task_id=task_id, n=3, instance_id="failed")
    assert error(response) == kind
    assert server.used_slots() == used
    # Those of an earlier test may still have been ending.
    wait_until(lambda: server.processes_of_episodes() <= processes)
    assert error(server.act("failed-0", "add 1")) == (404, "episode_not_found")


def test_params_that_are_refused_are_refused_for_all(server):
    response = server.post("create_group", task_id=TASK, n=2, params={"speed": 3})
    assert error(response) == (400, "invalid_request")
    assert "params.speed" in response.json()["detail"]


def test_a_step_sent_before_the_group_is_open_waits_for_it(start, in_background, wait_until):
    server = start()
    create = in_background(
        server.data, "create_group", task_id="count-to-3", n=4, instance_id="early"
    )
    wait_until(lambda: server.used_slots() == 4)
    assert server.observe("early-3", "add 1") == "1"
    create.result()


def test_a_group_that_takes_too_long_to_open_is_killed(start):
    server = start(SANDBOX_STEP_TIMEOUT_SECONDS="0.5")
    response = server.post("create_group", task_id="slow", n=2)
    assert error(response) == (504, "step_deadline")
    assert server.used_slots() == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "n"),
        ({"n": 0}, "n"),
        ({"n": 257}, "n"),
        ({"n": "2"}, "n"),
        ({"n": 2, "instance_ids": ["a"]}, "instance_ids"),
        ({"n": 2, "instance_ids": ["a", "a"]}, "instance_ids"),
        ({"n": 1, "instance_ids": ["a/b"]}, "instance_ids.0"),
        ({"n": 2, "instance_id": "a" * 128}, "instance_id"),
    ],
)
def test_a_wrong_field_is_named(server, body, field):
    response = server.post("create_group", task_id=TASK, **body)
    assert error(response) == (400, "invalid_request")
    assert response.json()["error"]["field"] == field


def test_prepared_tasks_are_opened_before_they_are_asked_for(start, wait_until):
    server = start()
    tasks = ["count-to-10", "count-to-3"]
    assert server.data("prepare", task_ids=tasks) == {"accepted": tasks}
    wait_until(lambda: server.status()["templates"]["count"] == 2)
    episode = server.create()
    assert server.observe(episode, "opened-by") == server.observe(episode, "parent")
    assert psutil.pid_exists(int(server.observe(episode, "opened-by")))


def test_a_prepared_task_that_cannot_be_opened_is_no_error(server):
    assert server.data("prepare", task_ids=["broken"]) == {"accepted": ["broken"]}


def test_a_task_that_does_not_exist_is_named_and_nothing_is_prepared(server):
    response = server.post("prepare", task_ids=["count-to-3", "count-to-4"])
    assert error(response) == (404, "unknown_task")
    assert "count-to-4" in response.json()["detail"]


@pytest.mark.parametrize("task_ids", [None, [], "count-to-3", [3], ["count-to-3"] * 1025])
def test_task_ids_are_a_list_of_up_to_1024(server, task_ids):
    response = server.post("prepare", task_ids=task_ids)
    assert error(response) == (400, "invalid_request")
    assert response.json()["error"]["field"].startswith("task_ids")
