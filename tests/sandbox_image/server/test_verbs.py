"""The verbs when nothing goes wrong."""

import psutil
import pytest


def test_a_server_lists_the_tasks_of_a_split(server):
    assert server.data("get_env_profile", params={"split": "dev"}) == ["count-to-3"]


def test_the_split_train_is_listed_when_none_is_asked_for(server):
    assert "count-to-10" in server.data("get_env_profile")


def test_create_answers_a_system_and_a_user_message_and_the_episodes_id(server):
    data = server.data("create", task_id="count-to-3", instance_id="a.client-made:ID_1")
    server.post("release", instance_id="a.client-made:ID_1")
    assert data == {
        "state": [
            {"role": "system", "content": "Count."},
            {"role": "user", "content": "Count to 3."},
        ],
        "info": {
            "instance_id": "a.client-made:ID_1",
            "task_id": "count-to-3",
            "incarnation": server.status()["incarnation"],
        },
    }


def test_an_id_is_made_up_when_the_client_makes_none(server):
    first, second = server.create(), server.create()
    for made_up in (first, second):
        server.post("release", instance_id=made_up)
    assert first != second


def test_a_step_answers_one_message_and_no_reward(server, episode):
    assert server.act(episode, "add 4").json() == {
        "success": True,
        "data": {
            "state": [{"role": "user", "content": "4"}],
            "reward": 0.0,
            "is_terminated": False,
            "info": {"incarnation": server.status()["incarnation"]},
        },
    }


def test_a_step_acts_on_what_the_steps_before_left(server, episode):
    server.act(episode, "add 4")
    assert server.observe(episode, "add 5") == "9"


def test_episodes_do_not_share_state(server, episode):
    other = server.create()
    server.act(episode, "add 4")
    assert server.observe(other, "add 1") == "1"
    server.post("release", instance_id=other)


def test_the_step_that_ends_the_task_carries_the_evaluations_reward(server, episode):
    server.act(episode, "add 5")
    data = server.act(episode, "done").json()["data"]
    assert (data["is_terminated"], data["reward"]) == (True, 0.5)


def test_an_episode_can_be_evaluated_in_the_middle(server, episode):
    server.act(episode, "add 5")
    assert server.data("evaluate", instance_id=episode) == 0.5
    assert server.observe(episode, "add 5") == "10"
    assert server.data("evaluate", instance_id=episode) == 1.0


def test_an_episode_can_be_evaluated_after_its_end(server, episode):
    server.act(episode, "add 10")
    server.act(episode, "done")
    assert server.data("evaluate", instance_id=episode) == 1.0


@pytest.mark.parametrize(("added", "sparse", "dense"), [(5, 0.0, 0.5), (10, 1.0, 1.0)])
def test_a_sparse_evaluation_is_all_or_nothing(server, episode, added, sparse, dense):
    server.act(episode, f"add {added}")
    assert server.data("evaluate", instance_id=episode, params={"sparse": True}) == sparse
    assert server.data("evaluate", instance_id=episode, params={"sparse": False}) == dense


def test_the_tools_are_described_for_an_episode_and_without_one(server, episode):
    described = server.data("get_info", instance_id=episode)
    assert described == server.data("get_info") == "add N: add N to the total. done: end the task."


def test_released_slots_are_free_and_processes_gone(server):
    before = server.used_slots()
    episode = server.create()
    assert server.used_slots() == before + 1
    player = int(server.observe(episode, "pid"))
    assert server.post("release", instance_id=episode).json() == {"success": True, "data": None}
    assert server.used_slots() == before
    assert not psutil.pid_exists(player)


def test_release_may_be_repeated(server):
    episode = server.create()
    server.post("release", instance_id=episode)
    assert server.post("release", instance_id=episode).json()["success"] is True


def test_releasing_an_id_that_never_was_is_no_success_but_no_error(server):
    response = server.post("release", instance_id="never-was")
    assert (response.status_code, response.json()["success"]) == (200, False)


def test_an_id_may_be_used_again_after_its_episode_is_over(server, episode):
    server.act(episode, "add 4")
    server.post("release", instance_id=episode)
    server.create(instance_id=episode)
    assert server.observe(episode, "add 1") == "1"


def test_the_environment_closes_a_released_episode(unjailed, tmp_path):
    mark = tmp_path / "closed"
    episode = unjailed.create(params={"mark_on_close": str(mark)})
    unjailed.post("release", instance_id=episode)
    assert mark.read_text() == "count-to-10"


def test_status_tells_what_confines_agent_code_and_what_the_templates_take(server):
    status = server.status()
    assert set(status["confinement"]) == {"landlock_abi", "seccomp", "fork_gate", "missing"}
    assert set(status["templates"]) == {"count", "memory_bytes"}


def test_status_says_that_the_jail_is_off(unjailed):
    assert unjailed.status()["confinement"]["missing"] == ["the jail is switched off"]


def test_status_tells_the_incarnation_the_slots_and_the_version(server):
    status = server.http.post("/status").json()["data"]
    assert status["environment"] == "counter"
    assert status["phase"] == "serving"
    assert status["slots"]["total"] == 8
    assert status["task"] is None
    assert status["version"]


def test_every_answer_names_the_incarnation(server):
    incarnation = server.status()["incarnation"]
    answers = [server.http.get("/healthz"), server.post("step"), server.http.get("/no/such/path")]
    assert {answer.headers["x-sandbox-incarnation"] for answer in answers} == {incarnation}


@pytest.mark.parametrize("path", ["//get_info", "/get_info/", "///get_info//"])
def test_double_and_trailing_slashes_do_not_matter(server, path):
    assert server.http.post(server.url + path, json={}).status_code == 200


def test_unknown_fields_are_ignored(server, episode):
    assert server.act(episode, "add 1", colour="green").status_code == 200
