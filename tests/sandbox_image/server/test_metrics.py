"""What Prometheus reads."""

import pytest
from prometheus_client.parser import text_string_to_metric_families


@pytest.fixture
def scrape(server):
    """The value of a sample, by name and labels."""

    def _scrape(name: str, **labels: str) -> float:
        response = server.http.get("/metrics")
        assert response.headers["content-type"].startswith("text/plain")
        for family in text_string_to_metric_families(response.text):
            for sample in family.samples:
                if (sample.name, sample.labels) == (name, labels):
                    return sample.value
        return 0.0

    return _scrape


def test_episodes_are_counted_by_state(server, scrape, episode):
    before = scrape("sandbox_episodes", state="running")
    server.act(episode, "done")
    assert scrape("sandbox_episodes", state="running") == before - 1
    assert scrape("sandbox_episodes", state="terminated") >= 1


def test_slots_are_told(server, scrape, episode):
    assert scrape("sandbox_slots") == 8
    assert scrape("sandbox_slots_used") == server.used_slots()


def test_a_step_is_counted_once_however_often_it_is_sent(server, scrape, episode):
    steps, answers = scrape("sandbox_steps_total"), scrape("sandbox_step_seconds_count")
    for _ in range(3):
        server.act(episode, "add 1", step_index=0)
    assert scrape("sandbox_steps_total") == steps + 1
    assert scrape("sandbox_step_seconds_count") == answers + 3


@pytest.mark.parametrize("verb", ["create", "create_group", "evaluate", "fork"])
def test_the_time_of_each_verb_is_observed(server, scrape, episode, verb):
    name = f"sandbox_{verb.removesuffix('_group')}_seconds_count"
    before = scrape(name)
    data = server.data(verb, instance_id=episode, task_id="count-to-10", n=1)
    assert scrape(name) == before + 1
    for made in data["episodes"] if isinstance(data, dict) and "episodes" in data else ():
        server.post("release", instance_id=made["info"]["instance_id"])


@pytest.mark.parametrize(
    ("kind", "fail"),
    [
        ("episode_not_found", lambda server: server.act("nobody", "add 1")),
        ("unknown_task", lambda server: server.post("create", task_id="no-such-task")),
        ("invalid_request", lambda server: server.http.get("/no/such/path")),
        ("payload_too_large", lambda server: server.post("step", messages="x" * 5_000_000)),
    ],
)
def test_failures_are_counted_by_type(server, scrape, kind, fail):
    before = scrape("sandbox_failures_total", type=kind)
    fail(server)
    assert scrape("sandbox_failures_total", type=kind) == before + 1


def test_templates_and_memory_are_told(server, scrape):
    server.data("prepare", task_ids=["count-to-10"])
    assert scrape("sandbox_processes_memory_bytes") > 1_000_000
    assert scrape("sandbox_templates") == server.status()["templates"]["count"]


def test_the_build_is_named(server, scrape):
    version = server.status()["version"]
    environment = "counter_environment:CounterEnvironment"
    assert scrape("sandbox_build_info", version=version, environment=environment) == 1


def test_a_booting_server_has_metrics(launch):
    server = launch(COUNTER_PRELOAD_SECONDS="600")
    assert "sandbox_slots_used 0.0" in server.http.get("/metrics").text
