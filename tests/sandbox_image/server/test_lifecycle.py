"""Boot, readiness, incarnations, drain and end of a server."""

import json
import resource
import shutil
import signal
import subprocess
import sys

import psutil
import pytest


def reason(server) -> str | None:
    response = server.http.get("/readyz")
    return None if response.status_code == 200 else response.json()["reason"]


def last_words(server) -> dict[str, str]:
    """The line for the termination log."""
    (line,) = [line for line in server.lines if line.startswith("{")]
    return json.loads(line)


def terminate(server) -> None:
    server.process.send_signal(signal.SIGTERM)


def test_a_booting_server_answers_but_is_neither_healthy_nor_ready(launch):
    server = launch(COUNTER_PRELOAD_SECONDS="600")
    assert reason(server) == "booting"
    assert server.http.get("/healthz").status_code == 503
    assert server.status()["phase"] == "booting"
    response = server.post("create", task_id="count-to-3")
    assert (response.status_code, response.json()["error"]["type"]) == (503, "booting")
    assert "retry-after" in response.headers
    terminate(server)
    assert server.wait_for_exit() == 0


def test_a_serving_server_is_healthy_and_ready(server):
    assert server.http.get("/healthz").status_code == 200
    assert reason(server) is None


def test_a_server_whose_zygote_hangs_is_not_healthy(start):
    server = start()
    zygote = server.zygote()
    zygote.send_signal(signal.SIGSTOP)
    assert server.http.get("/healthz").status_code == 503
    zygote.send_signal(signal.SIGCONT)
    assert server.http.get("/healthz").status_code == 200


def test_an_idle_server_ends_at_once_on_sigterm(start):
    server = start()
    terminate(server)
    assert server.wait_for_exit() == 0


def test_a_draining_server_lets_running_steps_end_and_begins_nothing(
    start, in_background, wait_until
):
    server = start()
    busy, idle = server.create(), server.create()
    server.act(idle, "add 5")
    step = in_background(server.act, busy, "sleep 5")
    wait_until(lambda: server.status()["idle_seconds"] == 0.0)
    terminate(server)
    wait_until(lambda: reason(server) == "draining")
    for refused in (server.post("create", task_id="count-to-3"), server.act(idle, "add 1")):
        assert (refused.status_code, refused.json()["error"]["type"]) == (503, "draining")
    assert server.status()["phase"] == "draining"
    assert server.data("evaluate", instance_id=idle) == 0.5
    assert step.result().json()["data"]["state"][0]["content"] == "slept"
    assert server.wait_for_exit() == 0


def test_a_step_that_outlasts_the_drain_is_cut_off(start, in_background, wait_until):
    server = start(SANDBOX_DRAIN_SECONDS="0.2")
    step = in_background(server.act, server.create(), "sleep 600")
    wait_until(lambda: server.status()["idle_seconds"] == 0.0)
    terminate(server)
    assert step.result().json()["error"]["type"] == "episode_lost"
    assert server.wait_for_exit() == 0


@pytest.mark.parametrize("victim", ["server", "zygote"])
def test_no_process_is_left_when_one_is_killed(start, wait_until, victim):
    server = start()
    group = server.data("create_group", task_id="count-to-3", n=2, instance_id="a")["episodes"]
    server.data("fork", instance_id=group[0]["info"]["instance_id"], n=2)
    server.create("count-to-10")
    processes = server.descendants()
    assert server.processes_of_episodes() == 5
    (server.process if victim == "server" else server.zygote()).kill()
    wait_until(lambda: not any(process.is_running() for process in processes))
    assert server.wait_for_exit() == (-signal.SIGKILL if victim == "server" else 70)


@pytest.mark.parametrize("victim", ["server", "zygote"])
def test_nothing_that_agent_code_started_unjailed_is_left_when_one_is_killed(
    start, wait_until, victim
):
    server = start(SANDBOX_JAIL="off")
    for spawn in ("spawn", "spawn-daemon"):
        server.observe(server.create(), f"{spawn} 3600")
    processes = server.descendants()
    (server.process if victim == "server" else server.zygote()).kill()
    wait_until(lambda: not any(process.is_running() for process in processes))


def test_a_step_is_told_that_it_was_lost_when_the_zygote_dies(start, in_background, wait_until):
    server = start()
    step = in_background(server.act, server.create(), "sleep 600")
    wait_until(lambda: server.status()["idle_seconds"] == 0.0)
    server.zygote().kill()
    assert step.result().json()["error"]["type"] == "episode_lost"
    assert server.wait_for_exit() == 70
    assert last_words(server)["reason"] == "ZygoteDied"


def test_each_start_in_a_state_directory_is_an_incarnation_of_its_own(start):
    names = []
    for _ in range(3):
        server = start(SANDBOX_POD_UID="0b5c-uid")
        names.append(server.status()["incarnation"])
        server.process.kill()
        server.wait_for_exit()
    assert names == ["0b5c-uid-0", "0b5c-uid-1", "0b5c-uid-2"]


def test_a_reboot_that_takes_the_state_does_not_bring_a_name_back(start, tmp_path):
    settings = {"SANDBOX_POD_UID": "0b5c-uid", "SANDBOX_STARTS_DIR": str(tmp_path / "starts")}
    server = start(**settings)
    episode = server.create(instance_id="made-again")
    server.process.kill()
    server.wait_for_exit()
    shutil.rmtree(tmp_path / "state")
    server = start(**settings)
    server.create(instance_id="made-again")
    assert server.status()["incarnation"] == "0b5c-uid-1"
    lost = server.act(episode, "add 1", incarnation="0b5c-uid-0")
    assert lost.json()["error"]["type"] == "episode_lost"


def test_outside_a_pod_incarnations_of_different_servers_differ(server, start):
    other = start()
    assert other.status()["incarnation"].startswith("local-")
    assert other.status()["incarnation"] != server.status()["incarnation"]


def test_what_a_killed_incarnation_left_is_removed_by_the_next(start, tmp_path, wait_until):
    server = start()
    server.act(server.create(), "say 500000")
    trajectories = tmp_path / "state" / "trajectories"
    wait_until(lambda: list(trajectories.iterdir()))
    server.process.kill()
    server.wait_for_exit()
    assert list(trajectories.iterdir())
    start()
    assert not list(trajectories.iterdir())


def test_an_episode_of_a_former_incarnation_is_not_found(start):
    server = start()
    episode = server.create()
    terminate(server)
    server.wait_for_exit()
    assert start().act(episode, "add 1").json()["error"]["type"] == "episode_not_found"


@pytest.mark.parametrize("verb", ["step", "evaluate", "release", "trajectory", "fork", "create"])
def test_a_call_that_means_another_incarnation_is_told_that_all_is_lost(server, episode, verb):
    body = {"instance_id": episode, "task_id": "count-to-10", "n": 1, "incarnation": "former-0"}
    response = server.post(verb, **body)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (410, "episode_lost")
    assert error["incarnation"] == server.status()["incarnation"]
    assert server.observe(episode, "add 1") == "1"


def test_the_incarnation_that_is_meant_may_be_said_in_a_header(server, episode):
    current = server.status()["incarnation"]
    for expected, status in ((current, 200), ("former-0", 410)):
        headers = {"x-sandbox-expect-incarnation": expected}
        body = {"instance_id": episode}
        assert server.http.post("/evaluate", json=body, headers=headers).status_code == status


def test_a_call_that_means_this_incarnation_is_served(server, episode):
    incarnation = server.status()["incarnation"]
    assert server.observe(episode, "add 1", incarnation=incarnation) == "1"


def test_a_booting_server_says_at_once_that_a_former_incarnation_is_lost(launch):
    server = launch(COUNTER_PRELOAD_SECONDS="600")
    response = server.post("step", instance_id="a", incarnation="former-0")
    assert response.json()["error"]["type"] == "episode_lost"


def test_two_servers_do_not_share_a_state_directory(start, launch):
    start()
    second = launch()
    assert second.wait_for_exit() == 64
    assert "in use by another server" in last_words(second)["message"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"SANDBOX_SLOTS": "0"}, "SANDBOX_SLOTS=0"),
        ({"SANDBOX_HOST": "no.such.host.invalid"}, "no.such.host.invalid"),
        ({"SANDBOX_STATE_DIR": "/proc/state"}, "/proc/state"),
        ({"SANDBOX_ENVIRONMENT": "chess"}, "chess"),
        ({"SANDBOX_ENVIRONMENT": "json:JSONDecoder"}, "json:JSONDecoder"),
        ({"SANDBOX_ENVIRONMENT_PYTHON": "/no/such/python"}, "/no/such/python"),
    ],
)
def test_wrong_settings_end_the_server_with_64_and_are_named(launch, settings, named):
    server = launch(**settings)
    assert server.wait_for_exit() == 64
    assert named in last_words(server)["message"]
    assert "Traceback" not in server.log


def test_an_environment_that_fails_to_load_ends_the_server_with_70(launch):
    server = launch(COUNTER_PRELOAD_FAILS="1")
    assert server.wait_for_exit() == 70
    words = last_words(server)
    assert words["reason"] == "EnvironmentFailed"
    assert "the counter's data is missing" in words["message"]


def test_a_zygote_that_dies_while_loading_ends_the_server_with_70(launch, wait_until):
    server = launch(COUNTER_PRELOAD_SECONDS="600")
    wait_until(server.descendants)
    server.zygote().kill()
    assert server.wait_for_exit() == 70
    assert last_words(server)["reason"] == "EnvironmentFailed"


def test_the_log_names_episodes_and_has_one_line_an_event(start):
    server = start()
    episode = server.create(instance_id="logged")
    server.post("release", instance_id=episode)
    assert [line.split(" ", 2)[2] for line in server.lines if "episode=logged" in line] == [
        "episode created episode=logged task=count-to-10",
        "episode over episode=logged state=released steps=0 why=released",
    ]


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_command_explains_itself(option):
    command = [sys.executable, "-m", "training_sandbox_server", option]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert ("SANDBOX_SLOTS" if option == "--help" else "0.") in output


def test_a_further_env_type_is_accepted(start):
    server = start(SANDBOX_ENV_TYPE="counter-large")
    server.create(env_type="counter-large")
    server.create(env_type="counter")


def test_idle_time_counts_from_the_last_call_of_an_episode_verb(start, wait_until):
    server = start()
    wait_until(lambda: server.status()["idle_seconds"] >= 0.5)
    for path in ("/status", "/healthz", "/readyz"):
        server.http.get(path)
    server.data("get_env_profile")
    assert server.status()["idle_seconds"] >= 0.5
    episode = server.create()
    before = server.status()["idle_seconds"]
    wait_until(lambda: server.status()["idle_seconds"] > before + 2)
    server.observe(episode, "add 1")
    assert server.status()["idle_seconds"] < before + 2


def test_an_episode_is_a_process_of_its_own_below_the_zygote(server, episode):
    player = psutil.Process(int(server.observe(episode, "pid")))
    assert server.zygote() in player.parents()


@pytest.fixture
def old_kernel(counter_environ, tmp_path) -> dict[str, str]:
    """What makes a server believe that its kernel lacks something."""
    (tmp_path / "sitecustomize.py").write_text(
        "from training_sandbox_worker import jail\n"
        "missing = ('there is no Landlock',)\n"
        "found = jail.Confinement(landlock_abi=0, seccomp=True, fork_gate=True, missing=missing)\n"
        "jail.probe = lambda: found\n"
    )
    return {"PYTHONPATH": f"{tmp_path}:{counter_environ['PYTHONPATH']}"}


def test_a_strict_server_does_not_start_where_a_protection_is_missing(launch, old_kernel):
    server = launch(**old_kernel, SANDBOX_STRICT="1")
    assert server.wait_for_exit() == 64
    assert last_words(server)["reason"] == "NotConfined"
    assert "there is no Landlock" in last_words(server)["message"]


def test_a_server_that_is_not_strict_does_without_and_says_so(start, old_kernel):
    server = start(**old_kernel)
    assert server.status()["confinement"]["missing"] == ["there is no Landlock"]
    assert server.observe(server.create(), "add 1") == "1"


def test_a_server_opens_more_files_than_a_process_may_at_first(start):
    few, most = 64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))
    try:
        server = start(SANDBOX_SLOTS="64")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    episodes = server.data("create_group", task_id="count-to-10", n=few)["episodes"]
    assert len(episodes) == few
