"""Clients of the replaced system's protocol: the same five fields in every body."""

import pytest

EMPTY = {
    "env_type": "default",
    "task_id": None,
    "instance_id": None,
    "messages": {},
    "params": {},
}


@pytest.fixture
def old_post(server):
    """Post as the old client does: to a base URL and an endpoint, with every field."""
    return lambda endpoint, **fields: server.http.post(
        f"{server.url}//{endpoint}", json=EMPTY | fields
    )


@pytest.fixture
def old_episode(old_post):
    data = old_post("create", env_type="counter", task_id="count-to-10").json()["data"]
    yield data["info"]["instance_id"]
    old_post("release", instance_id=data["info"]["instance_id"])


def test_health_is_ok(server):
    assert server.http.get(f"{server.url}//healthz").status_code == 200


def test_get_env_profile_answers_a_list_of_ids(old_post):
    body = old_post("get_env_profile", env_type="counter", params={"split": "train"}).json()
    assert body["success"] is True
    assert body["data"][0] == "count-to-10"


def test_create_answers_exactly_two_messages_and_the_id(old_post):
    body = old_post(
        "create", env_type="counter", task_id="count-to-3", instance_id="exp_1700000000_ab12cd34"
    ).json()
    old_post("release", instance_id="exp_1700000000_ab12cd34")
    assert body["success"] is True
    assert [message["role"] for message in body["data"]["state"]] == ["system", "user"]
    assert (
        body["data"]["info"]
        | {
            "instance_id": "exp_1700000000_ab12cd34",
            "task_id": "count-to-3",
        }
        == body["data"]["info"]
    )


def test_a_step_with_a_wrong_env_type_answers_exactly_one_message(old_post, old_episode):
    action = {"role": "assistant", "content": "add 4"}
    body = old_post("step", instance_id=old_episode, messages=action).json()
    assert body["success"] is True
    assert set(body["data"]) == {"state", "reward", "is_terminated", "info"}
    assert len(body["data"]["state"]) == 1
    assert set(body["data"]["state"][0]) >= {"role", "content"}
    assert (body["data"]["reward"], body["data"]["is_terminated"]) == (0.0, False)


def test_evaluate_answers_a_float(old_post, old_episode):
    body = old_post("evaluate", instance_id=old_episode, params={"sparse": True}).json()
    assert body == {"success": True, "data": 0.0}


def test_get_info_answers_the_tools(old_post, old_episode):
    assert isinstance(old_post("get_info", instance_id=old_episode).json()["data"], str)


def test_release_answers_success_at_the_top(old_post, old_episode):
    assert old_post("release", instance_id=old_episode).json()["success"] is True


def test_an_error_has_a_detail_that_such_clients_print(old_post):
    response = old_post("step", instance_id="nobody", messages={"role": "assistant", "content": ""})
    assert response.status_code >= 400
    assert response.json()["detail"] == "there is no episode nobody"


def test_missing_fields_are_no_error_where_they_are_not_needed(server):
    assert server.http.post("/get_env_profile", json={}).json()["success"] is True


def test_an_empty_action_is_the_callers_fault(old_post, old_episode):
    assert old_post("step", instance_id=old_episode).status_code == 400
