"""Whatever is sent, the answer is a typed refusal that names the field; nothing is half made."""

import itertools

import pytest

LARGE = "x" * (10 * 1024 * 1024)


def refusal(response) -> tuple[int, str]:
    body = response.json()
    assert set(body) == {"success", "detail", "error"}
    assert body["success"] is False
    assert body["error"]["incarnation"] == response.headers["x-sandbox-incarnation"]
    assert "reward" not in body["error"]
    assert "Traceback" not in response.text
    assert body["detail"].strip()
    return response.status_code, body["error"]["type"]


@pytest.mark.parametrize(
    ("verb", "body", "status", "kind"),
    [
        ("create", {"task_id": "no-such-task"}, 404, "unknown_task"),
        ("create", {"task_id": "count-to-3", "env_type": "chess"}, 404, "unknown_env_type"),
        ("get_env_profile", {"env_type": "chess"}, 404, "unknown_env_type"),
        ("get_env_profile", {"params": {"split": "holdout"}}, 404, "unknown_split"),
        ("step", {"instance_id": "nobody"}, 404, "episode_not_found"),
        ("evaluate", {"instance_id": "nobody"}, 404, "episode_not_found"),
        ("get_info", {"instance_id": "nobody"}, 404, "episode_not_found"),
        ("no_such_verb", {}, 404, "invalid_request"),
        ("healthz", {}, 405, "invalid_request"),
    ],
)
def test_what_is_not_there_is_said_to_be_missing(server, verb, body, status, kind):
    assert refusal(server.post(verb, **body)) == (status, kind)


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        ("create", {}, "task_id"),
        ("create", {"task_id": ""}, "task_id"),
        ("create", {"task_id": None}, "task_id"),
        ("create", {"task_id": 5}, "task_id"),
        ("create", {"task_id": "count-to-3", "env_type": ["counter"]}, "env_type"),
        ("create", {"task_id": "count-to-3", "params": [1]}, "params"),
        ("create", {"task_id": "count-to-3", "instance_id": ""}, "instance_id"),
        ("create", {"task_id": "count-to-3", "instance_id": "a" * 129}, "instance_id"),
        ("create", {"task_id": "count-to-3", "instance_id": "../../etc"}, "instance_id"),
        ("create", {"task_id": "count-to-3", "instance_id": "line\n"}, "instance_id"),
        ("create", {"task_id": "count-to-3", "instance_id": 7}, "instance_id"),
        ("step", {}, "instance_id"),
        ("evaluate", {}, "instance_id"),
        ("release", {}, "instance_id"),
        ("get_env_profile", {"params": {"split": 3}}, "params.split"),
    ],
)
def test_a_wrong_field_is_named(server, verb, body, field):
    response = server.post(verb, **body)
    assert refusal(response) == (400, "invalid_request")
    assert response.json()["error"]["field"] == field
    assert field in response.json()["detail"]


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        (None, "messages"),
        ("add 1", "messages"),
        ([], "messages"),
        ([{"role": "assistant", "content": "add 1"}] * 2, "messages"),
        ([["add 1"]], "messages"),
        ({}, "messages.role"),
        ({"content": "add 1"}, "messages.role"),
        ({"role": 1, "content": "add 1"}, "messages.role"),
        ({"role": "assistant"}, "messages.content"),
        ({"role": "assistant", "content": None}, "messages.content"),
        ({"role": "assistant", "content": None, "tool_calls": []}, "messages.content"),
        ({"role": "assistant", "content": ["add 1"]}, "messages.content"),
        ({"role": "assistant", "content": 5}, "messages.content"),
    ],
)
def test_a_message_without_role_or_content_is_refused_before_anything_runs(
    server, episode, messages, field
):
    response = server.post("step", instance_id=episode, messages=messages)
    assert refusal(response) == (400, "invalid_request")
    assert response.json()["error"]["field"] == field


@pytest.mark.parametrize("step_index", [-1, "0", 0.0, True, [0]])
def test_a_step_index_is_a_number_from_zero(server, episode, step_index):
    response = server.act(episode, "add 1", step_index=step_index)
    assert refusal(response) == (400, "invalid_request")
    assert response.json()["error"]["field"] == "step_index"


@pytest.mark.parametrize("sparse", [1, "true", []])
def test_sparse_is_a_boolean(server, episode, sparse):
    response = server.post("evaluate", instance_id=episode, params={"sparse": sparse})
    assert refusal(response) == (400, "invalid_request")


def test_params_that_the_environment_does_not_take_are_refused_and_nothing_is_left(server):
    before = server.used_slots()
    response = server.post("create", task_id="count-to-3", params={"speed": 3})
    assert refusal(response) == (400, "invalid_request")
    assert "params.speed" in response.json()["detail"]
    assert server.used_slots() == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"create"',
        b"\xff\xfe",
        b'{"task_id": "count-to-3", "params": {"note": NaN}}',
        b'{"task_id": "count-to-3", "params": {"note": -Infinity}}',
        b'{"task_id": "count-to-3", "params": {"note": 1e999}}',
        b'{"task_id": "count-to-3", "params": {"note": ' + b"9" * 5000 + b"}}",
        b'{"task_id": "count-to-3", "params": {"note": ' + b"[" * 500 + b"]" * 500 + b"}}",
        b'{"task_id": "count-to-3", "params": {"note": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}",
    ],
)
def test_a_body_that_is_no_json_object_is_refused(server, body):
    headers = {"content-type": "application/json"}
    response = server.http.post("/create", content=body, headers=headers)
    assert refusal(response) == (400, "invalid_request")


def test_a_body_that_is_not_announced_as_json_is_refused_with_the_way_to_do_it(server):
    headers = {"content-type": "text/plain"}
    response = server.http.post("/create", content=b'{"task_id": "count-to-3"}', headers=headers)
    assert refusal(response) == (400, "invalid_request")
    assert "Content-Type: application/json" in response.json()["detail"]


def test_a_body_over_four_mebibytes_is_refused_and_the_episode_goes_on(server, episode):
    assert refusal(server.act(episode, LARGE)) == (413, "payload_too_large")
    assert server.observe(episode, "add 1") == "1"


def test_a_body_without_an_announced_length_is_limited_too(server):
    parts = (b" " * 65_536 for _ in range(128))
    response = server.http.post("/create", content=parts)
    assert refusal(response) == (413, "payload_too_large")


def test_a_body_without_end_is_answered_before_its_end(server):
    parts = itertools.repeat(b" " * 1_048_576)
    response = server.http.post("/create", content=parts)
    assert refusal(response) == (413, "payload_too_large")


def test_a_message_just_under_the_limit_arrives_whole(server, episode):
    assert server.observe(episode, "length " + "\u00e9" * 2_000_000) == "2000000"


def test_a_list_of_one_message_is_taken_for_the_message(server, episode):
    message = {"role": "assistant", "content": "add 1"}
    data = server.data("step", instance_id=episode, messages=[message])
    assert data["state"][0]["content"] == "1"


def test_content_may_be_missing_beside_tool_calls(server, episode):
    message = {"role": "assistant", "tool_calls": [{"name": "counter", "arguments": "add 1"}]}
    data = server.data("step", instance_id=episode, messages=message)
    assert data["state"][0]["content"] == "1"
