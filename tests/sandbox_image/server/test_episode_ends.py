"""How episodes end, what their callers are told, and that nothing is left of them."""

import signal

import psutil
import pytest


def error(response) -> tuple[int, str]:
    """The status and type of an error, which says nothing that could pass for a reward."""
    body = response.json()
    assert set(body) == {"success", "detail", "error"}
    assert set(body["error"]) <= {"type", "incarnation", "expected_step_index", "field"}
    assert "Traceback" not in response.text
    return response.status_code, response.json()["error"]["type"]


@pytest.fixture(scope="module")
def impatient(run_server, tmp_path_factory):
    """A server whose steps have little time."""
    state = str(tmp_path_factory.mktemp("impatient"))
    with run_server({"SANDBOX_STATE_DIR": state, "SANDBOX_STEP_TIMEOUT_SECONDS": "2"}) as server:
        yield server.wait_until_ready()


def test_a_released_episode_refuses_calls(server):
    episode = server.create()
    server.post("release", instance_id=episode)
    assert error(server.act(episode, "add 1")) == (410, "episode_released")
    assert error(server.post("evaluate", instance_id=episode)) == (410, "episode_released")


def test_a_terminated_episode_takes_no_step(server, episode):
    server.act(episode, "done")
    assert error(server.act(episode, "add 1")) == (409, "episode_terminated")
    assert error(server.act(episode, "add 1", step_index=1)) == (409, "episode_terminated")
    assert server.data("evaluate", instance_id=episode) == 0.0


def test_a_terminated_episode_has_no_process(server, episode):
    player = int(server.observe(episode, "pid"))
    server.act(episode, "done")
    assert not psutil.pid_exists(player)


def test_a_step_past_its_deadline_is_killed_and_its_episode_lost(impatient, wait_until):
    episode = impatient.create()
    player = int(impatient.observe(episode, "pid"))
    assert error(impatient.act(episode, "sleep 600")) == (504, "step_deadline")
    assert error(impatient.act(episode, "add 1")) == (410, "episode_lost")
    assert not psutil.pid_exists(player)
    assert impatient.used_slots() == 0


def test_a_step_that_waits_behind_one_past_its_deadline_is_told_that_all_is_lost(
    impatient, in_background
):
    episode = impatient.create()
    steps = [in_background(impatient.act, episode, "sleep 600") for _ in range(2)]
    answers = sorted(error(step.result()) for step in steps)
    assert answers == [(410, "episode_lost"), (504, "step_deadline")]


def test_a_task_that_takes_too_long_to_open_is_killed_and_leaves_nothing(impatient, wait_until):
    assert error(impatient.post("create", task_id="slow")) == (504, "step_deadline")
    assert impatient.used_slots() == 0
    assert impatient.processes_of_episodes() == 0


def test_an_evaluation_past_its_deadline_fails_and_the_episode_goes_on(impatient):
    episode = impatient.create()
    impatient.act(episode, "spoil slow")
    response = impatient.post("evaluate", instance_id=episode)
    assert error(response) == (500, "evaluation_failed")
    impatient.act(episode, "spoil 5")
    assert impatient.data("evaluate", instance_id=episode) == 0.5
    impatient.post("release", instance_id=episode)


@pytest.mark.parametrize("spoilt", ["nan", "die", "not-a-number"])
def test_a_failed_evaluation_is_an_error_never_a_number(server, episode, spoilt):
    server.act(episode, f"spoil {spoilt}")
    assert error(server.post("evaluate", instance_id=episode)) == (500, "evaluation_failed")
    last = server.act(episode, "done", step_index=1)
    assert error(last) == (500, "evaluation_failed")


def test_a_state_that_is_too_large_to_be_passed_on_is_not_the_callers_fault(server):
    episode = server.create(params={"note": "é" * 2_050_000})
    server.act(episode, f"spoil {'x' * 4_000_000}")
    assert error(server.post("evaluate", instance_id=episode)) == (500, "evaluation_failed")
    server.post("release", instance_id=episode)


def test_a_last_step_whose_evaluation_failed_can_be_asked_for_again(start, tmp_path):
    truth = tmp_path / "truth"
    truth.mkdir()
    server = start(COUNTER_TRUTH=str(truth))
    episode = server.create()
    server.act(episode, "spoil total")
    assert error(server.act(episode, "done", step_index=1)) == (500, "evaluation_failed")
    (truth / "total").write_text("5")
    data = server.act(episode, "done", step_index=1).json()["data"]
    assert (data["is_terminated"], data["reward"]) == (True, 0.5)


@pytest.mark.parametrize("action", ["die 0", "die 7", "crash", "close-descriptors 0"])
def test_an_episode_whose_process_ends_in_a_step_is_lost(server, episode, action):
    before = server.used_slots()
    player = int(server.observe(episode, "pid"))
    assert error(server.act(episode, action)) == (410, "episode_lost")
    assert error(server.act(episode, "add 1")) == (410, "episode_lost")
    assert server.used_slots() == before - 1
    assert not psutil.pid_exists(player)


def test_the_log_says_how_an_episodes_process_ended(server, episode):
    server.act(episode, "crash")
    (line,) = [line for line in server.lines if f"episode={episode} state=lost" in line]
    assert "SIGSEGV" in line


def test_an_episode_whose_process_is_killed_between_steps_is_lost(server, episode, wait_until):
    before = server.used_slots()
    psutil.Process(int(server.observe(episode, "pid"))).kill()
    wait_until(lambda: server.used_slots() == before - 1)
    assert error(server.act(episode, "add 1")) == (410, "episode_lost")


@pytest.mark.parametrize("action", ["raise ValueError: secret/path", "exit 3"])
def test_an_exception_of_the_environment_is_told_in_the_log_not_to_the_caller(
    server, episode, action
):
    response = server.act(episode, action)
    assert error(response) == (500, "internal")
    assert "secret" not in response.text
    assert error(server.act(episode, "add 1")) == (410, "episode_lost")
    (line,) = [line for line in server.lines if f"episode={episode} state=lost" in line]
    assert "counter_environment.py" in line


def test_who_waits_for_a_task_to_open_is_told_that_it_did_not(impatient, in_background, wait_until):
    create = in_background(impatient.post, "create", task_id="slow", instance_id="waited-for")
    wait_until(lambda: impatient.used_slots() == 1)
    for verb in ("trajectory", "get_info"):
        response = impatient.post(verb, instance_id="waited-for")
        assert error(response) in ((410, "episode_lost"), (404, "episode_not_found"))
    assert create.result().status_code == 504


@pytest.mark.parametrize("task_id", ["broken", "dying"])
def test_a_task_that_cannot_be_opened_leaves_no_process_or_slot(server, wait_until, task_id):
    slots, processes = server.used_slots(), server.processes_of_episodes()
    response = server.post("create", task_id=task_id, instance_id="half-way")
    assert error(response) == (500, "internal")
    assert server.used_slots() == slots
    # Those of an earlier test may still have been ending.
    wait_until(lambda: server.processes_of_episodes() <= processes)
    assert error(server.act("half-way", "add 1")) == (404, "episode_not_found")


def test_a_step_is_told_when_its_episode_is_released_meanwhile(
    server, episode, in_background, wait_until
):
    player = int(server.observe(episode, "pid"))
    step = in_background(server.act, episode, "sleep 600")
    wait_until(lambda: server.status()["idle_seconds"] == 0.0)
    server.post("release", instance_id=episode)
    assert error(step.result()) == (410, "episode_released")
    assert not psutil.pid_exists(player)


def test_a_create_is_told_when_its_episode_is_released_meanwhile(server, in_background, wait_until):
    before = server.used_slots()
    create = in_background(server.post, "create", task_id="slow", instance_id="released-early")
    wait_until(lambda: server.used_slots() == before + 1)
    server.post("release", instance_id="released-early")
    assert error(create.result()) == (410, "episode_released")
    assert server.used_slots() == before


def test_an_episode_that_nobody_calls_expires(start, wait_until):
    server = start(SANDBOX_EPISODE_IDLE_SECONDS="0.5")
    episode = server.create()
    wait_until(lambda: server.used_slots() == 0)
    assert error(server.act(episode, "add 1")) == (410, "episode_expired")
    assert server.post("release", instance_id=episode).json()["success"] is True


def test_an_episode_does_not_expire_while_a_step_runs(start):
    server = start(SANDBOX_EPISODE_IDLE_SECONDS="2")
    assert server.observe(server.create(), "sleep 4") == "slept"


def test_a_terminated_episode_expires_too(start, wait_until):
    server = start(SANDBOX_EPISODE_IDLE_SECONDS="2")
    server.act(server.create(), "done")
    wait_until(lambda: server.used_slots() == 0)


def test_a_full_server_says_so_at_once_and_takes_the_next_after_a_release(start):
    server = start(SANDBOX_SLOTS="2")
    first, _ = server.create(), server.create()
    response = server.post("create", task_id="count-to-3")
    assert error(response) == (429, "full")
    assert int(response.headers["retry-after"]) >= 1
    server.post("release", instance_id=first)
    server.create()


def test_creates_at_once_take_no_more_than_the_slots(start, in_background):
    server = start(SANDBOX_SLOTS="3")
    creates = [in_background(server.post, "create", task_id="count-to-3") for _ in range(8)]
    statuses = sorted(create.result().status_code for create in creates)
    assert statuses == [200] * 3 + [429] * 5


def test_a_process_that_ignores_signals_is_killed_by_a_release(server, episode):
    player = int(server.observe(episode, "pid"))
    psutil.Process(player).send_signal(signal.SIGSTOP)
    server.post("release", instance_id=episode)
    assert not psutil.pid_exists(player)
