"""Templates: a task that is opened again is opened once, and forked from then on."""

import psutil
import pytest


def opened_apart(server, episode: str) -> bool:
    """Whether the episode's process opened the task itself."""
    return server.observe(episode, "opened-by") == server.observe(episode, "pid")


def templates(server) -> int:
    return server.status()["templates"]["count"]


@pytest.fixture
def prepared(start, wait_until):
    """A server with a template of count-to-10."""
    server = start()
    server.data("prepare", task_ids=["count-to-10"])
    wait_until(lambda: templates(server) == 1)
    return server


def test_a_task_that_is_opened_once_gets_no_template(start):
    server = start()
    assert opened_apart(server, server.create())
    assert templates(server) == 0


def test_a_task_that_is_opened_again_gets_one(start, wait_until):
    server = start()
    server.create()
    server.create()
    wait_until(lambda: templates(server) == 1)
    assert not opened_apart(server, server.create())


def test_a_prepared_task_is_forked_at_its_first_create(prepared):
    assert not opened_apart(prepared, prepared.create())


def test_a_template_is_of_one_task_with_one_set_of_params(prepared):
    assert opened_apart(prepared, prepared.create("count-to-3"))
    assert opened_apart(prepared, prepared.create(params={"note": "another"}))


def test_an_evaluation_from_a_template_gives_the_same_reward(prepared):
    prepared.observe(episode := prepared.create(), "add 5")
    assert prepared.data("evaluate", instance_id=episode) == 0.5


def test_a_killed_template_loses_its_episodes_and_is_not_used_again(prepared, wait_until):
    episode = prepared.create()
    template = psutil.Process(int(prepared.observe(episode, "opened-by")))
    template.kill()
    wait_until(lambda: templates(prepared) == 0)
    assert prepared.act(episode, "add 1").json()["error"]["type"] == "episode_lost"
    assert opened_apart(prepared, prepared.create())
    assert prepared.used_slots() == 1


def test_templates_beyond_the_budget_are_dropped_when_their_episodes_end(start, wait_until):
    server = start(SANDBOX_TEMPLATES_MEMORY_MB="1")
    server.data("create_group", task_id="count-to-10", n=2, instance_id="first")
    template = psutil.Process(int(server.observe("first-0", "opened-by")))
    server.data("create_group", task_id="count-to-3", n=2)
    assert templates(server) == 1
    assert server.observe("first-1", "add 1") == "1"
    for episode in ("first-0", "first-1"):
        server.post("release", instance_id=episode)
    wait_until(lambda: not template.is_running())


def test_a_task_that_cannot_be_opened_leaves_no_template(start, wait_until):
    server = start()
    before = len(server.descendants())
    assert server.post("create_group", task_id="broken", n=2).status_code == 500
    assert templates(server) == 0
    wait_until(lambda: len(server.descendants()) == before)
    assert server.used_slots() == 0


def test_what_is_prepared_does_not_push_out_what_was_there_before_it(start, wait_until):
    server = start(SANDBOX_TEMPLATES_MEMORY_MB="1")
    large = {"note": "x" * 3_000_000}
    server.data("prepare", task_ids=["count-to-10", "count-to-3"], params=large)
    server.data("create_group", task_id="count-to-10", n=2)

    def dropped():
        return [line for line in server.lines if "template dropped" in line]

    wait_until(dropped)
    server.data("create_group", task_id="count-to-10", n=2)
    assert len(dropped()) == 1


def test_a_group_does_not_wait_for_tasks_that_are_only_prepared(start):
    server = start(SANDBOX_STEP_TIMEOUT_SECONDS="3")
    server.data("prepare", task_ids=["slow", "count-to-3", "count-to-10"])
    server.data("create_group", task_id="count-to-10", n=2)
    assert templates(server) == 1, "the slow one is still being opened"
