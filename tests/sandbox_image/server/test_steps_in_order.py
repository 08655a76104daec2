"""Every action is executed once, one at a time, in order."""

import json
import socket

import pytest


def test_a_step_sent_twice_is_executed_once(server, episode):
    first = server.act(episode, "add 4", step_index=0)
    again = server.act(episode, "add 4", step_index=0)
    assert again.json() == first.json()
    assert server.observe(episode, "add 1", step_index=1) == "5"


def test_a_step_sent_again_while_it_runs_waits_for_the_same_answer(server, episode, in_background):
    actions = [in_background(server.act, episode, "sleep 0.3", step_index=0) for _ in range(3)]
    answers = [action.result().json() for action in actions]
    assert all(answer == answers[0] for answer in answers)
    assert server.observe(episode, "add 1", step_index=1) == "1"


def test_the_last_step_of_a_task_is_answered_again_with_its_reward(server, episode):
    server.act(episode, "add 5", step_index=0)
    first = server.act(episode, "done", step_index=1)
    again = server.act(episode, "done", step_index=1)
    assert again.json() == first.json()
    assert again.json()["data"]["reward"] == 0.5


def test_without_an_index_a_step_is_always_executed(server, episode):
    server.act(episode, "add 4")
    assert server.observe(episode, "add 4") == "8"


def test_counted_and_uncounted_steps_share_one_count(server, episode):
    server.act(episode, "add 4")
    assert server.observe(episode, "add 4", step_index=1) == "8"


@pytest.mark.parametrize("step_index", [0, 3, 100])
def test_an_index_out_of_order_is_refused_with_the_expected_one(server, episode, step_index):
    server.act(episode, "add 1")
    server.act(episode, "add 1")
    response = server.act(episode, "add 1", step_index=step_index)
    assert response.status_code == 409
    error = response.json()["error"]
    assert (error["type"], error["expected_step_index"]) == ("out_of_order", 2)
    assert server.observe(episode, "add 1") == "3"


def test_another_action_under_the_last_index_is_refused_not_answered(server, episode):
    server.act(episode, "add 4", step_index=0)
    response = server.act(episode, "add 5", step_index=0)
    error = response.json()["error"]
    assert (error["type"], error["expected_step_index"]) == ("out_of_order", 1)


def test_a_step_that_the_environment_refused_does_not_count(server, episode):
    assert server.act(episode, "juggle", step_index=0).status_code == 400
    assert server.observe(episode, "add 1", step_index=0) == "1"


def test_steps_of_one_episode_wait_for_each_other(server, episode, in_background, wait_until):
    slow = in_background(server.observe, episode, "sleep 2")
    wait_until(lambda: server.status()["idle_seconds"] == 0.0)
    assert server.observe(episode, "add 1") == "1"
    assert slow.result() == "slept"
    _, *steps = server.trajectory(episode)
    assert [step["action"]["content"] for step in steps] == ["sleep 2", "add 1"]


def test_an_evaluation_waits_for_the_step_that_runs(server, episode, in_background):
    server.act(episode, "add 5")
    slow = in_background(server.act, episode, "sleep 0.5")
    assert server.data("evaluate", instance_id=episode) == 0.5
    assert slow.result().status_code == 200


def test_episodes_do_not_wait_for_each_other(server, episode, in_background):
    other = server.create()
    slow = in_background(server.act, other, "sleep 600")
    assert server.observe(episode, "add 1") == "1"
    server.post("release", instance_id=other)
    slow.result()


def test_the_same_create_is_answered_again(server, episode):
    again = server.data("create", task_id="count-to-10", instance_id=episode)
    assert again["info"]["instance_id"] == episode
    server.act(episode, "add 4")
    server.data("create", task_id="count-to-10", instance_id=episode, params={})
    assert server.observe(episode, "add 1") == "5"


def test_creates_of_one_id_at_once_make_one_episode(server, in_background):
    before = server.used_slots()
    creates = [
        in_background(server.post, "create", task_id="count-to-3", instance_id="at-once")
        for _ in range(5)
    ]
    answers = [create.result().json() for create in creates]
    assert all(answer == answers[0] for answer in answers)
    assert server.used_slots() == before + 1
    server.post("release", instance_id="at-once")


@pytest.mark.parametrize(
    "other", [{"task_id": "count-to-3"}, {"task_id": "count-to-10", "params": {"note": 1}}]
)
def test_a_create_of_the_same_id_with_other_arguments_is_refused(server, episode, other):
    response = server.post("create", instance_id=episode, **other)
    assert (response.status_code, response.json()["error"]["type"]) == (409, "episode_exists")


def test_params_of_another_type_are_other_arguments(server):
    server.create(instance_id="typed", params={"note": 1})
    assert server.create(instance_id="typed", params={"note": 1}) == "typed"
    response = server.post(
        "create", task_id="count-to-10", instance_id="typed", params={"note": True}
    )
    server.post("release", instance_id="typed")
    assert (response.status_code, response.json()["error"]["type"]) == (409, "episode_exists")


def test_a_step_goes_on_when_its_client_disconnects_and_its_answer_is_kept(
    server, episode, wait_until
):
    message = {"role": "assistant", "content": "sleep 2"}
    body = json.dumps({"instance_id": episode, "messages": message, "step_index": 0}).encode()
    with socket.create_connection(("127.0.0.1", server.http.base_url.port)) as client:
        client.sendall(
            b"POST /step HTTP/1.1\r\nHost: sandbox\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        wait_until(lambda: server.status()["idle_seconds"] == 0.0)
    assert server.observe(episode, "sleep 2", step_index=0) == "slept"
    assert server.observe(episode, "add 1", step_index=1) == "1"
