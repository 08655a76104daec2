import pytest

from training_sandbox_server import memory
from training_sandbox_server.settings import InvalidSettingsError, Settings, describe, load

PUBLIC_KEY = "A" * 43


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SANDBOX_{name.upper()}", raising=False)
    monkeypatch.setenv("SANDBOX_TOKEN_PUBLIC_KEY", PUBLIC_KEY)


def test_the_defaults_are_those_of_a_pod():
    settings = load()
    assert (settings.environment, settings.host, settings.port) == ("appworld", "0.0.0.0", 8000)
    assert (settings.slots, settings.step_timeout_seconds) == (16, 100)
    assert (settings.episode_idle_seconds, settings.drain_seconds) == (300, 20)
    assert settings.episode_memory_mb == 1024
    assert settings.templates_bytes == memory.read().total_bytes // 4
    assert (settings.trajectory_max_mb, settings.strict) == (64, False)


def test_an_empty_variable_is_not_set(monkeypatch):
    for name in ("TASK_ID", "EPISODE_ID", "PARAMS", "SLOTS", "POD_UID"):
        monkeypatch.setenv(f"SANDBOX_{name}", "")
    assert load() == Settings()


def test_a_bound_tasks_params_are_a_json_object(monkeypatch):
    monkeypatch.setenv("SANDBOX_TASK_ID", "a")
    monkeypatch.setenv("SANDBOX_EPISODE_ID", "b")
    monkeypatch.setenv("SANDBOX_PARAMS", '{"simple": true}')
    assert load().params == {"simple": True}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLOTS", "0"),
        ("SLOTS", "257"),
        ("SLOTS", "two"),
        ("PORT", "-1"),
        ("STEP_TIMEOUT_SECONDS", "0"),
        ("STEP_TIMEOUT_SECONDS", "nan"),
        ("EPISODE_IDLE_SECONDS", "inf"),
        ("DRAIN_SECONDS", "-1"),
        ("PARAMS", "[]"),
        ("PARAMS", "not json"),
        ("EPISODE_ID", "a/b"),
        ("JAIL", "maybe"),
        ("STRICT", "maybe"),
        ("EPISODE_MEMORY_MB", "0"),
        ("TEMPLATES_MEMORY_MB", "-1"),
        ("TRAJECTORY_MAX_MB", "much"),
        ("AUTH", "maybe"),
        ("TOKEN_PUBLIC_KEY", "A" * 42),
        ("TOKEN_PUBLIC_KEY", "not base64!"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(f"SANDBOX_{name}", value)
    with pytest.raises(
        InvalidSettingsError, match=f"SANDBOX_{name}={value}".replace("[]", r"\[\]")
    ):
        load()


def test_all_wrong_values_are_named_at_once(monkeypatch):
    monkeypatch.setenv("SANDBOX_SLOTS", "0")
    monkeypatch.setenv("SANDBOX_PORT", "http")
    with pytest.raises(InvalidSettingsError, match="SANDBOX_PORT") as refused:
        load()
    assert "SANDBOX_SLOTS" in str(refused.value)


@pytest.mark.parametrize("name", ["TASK_ID", "EPISODE_ID"])
def test_a_bound_task_has_a_task_and_an_episode(monkeypatch, name):
    monkeypatch.setenv(f"SANDBOX_{name}", "a")
    with pytest.raises(InvalidSettingsError, match="together"):
        load()


def test_params_need_a_bound_task(monkeypatch):
    monkeypatch.setenv("SANDBOX_PARAMS", "{}")
    with pytest.raises(InvalidSettingsError, match="SANDBOX_TASK_ID is not set"):
        load()


def test_agent_code_is_confined_unless_that_is_switched_off(monkeypatch):
    assert load().jailed
    monkeypatch.setenv("SANDBOX_JAIL", "off")
    assert not load().jailed


def test_strictness_needs_the_jail(monkeypatch):
    monkeypatch.setenv("SANDBOX_STRICT", "1")
    monkeypatch.setenv("SANDBOX_JAIL", "off")
    with pytest.raises(InvalidSettingsError, match="SANDBOX_STRICT refuses SANDBOX_JAIL=off"):
        load()


def test_every_variable_is_described():
    described = describe().splitlines()
    assert len(described) == len(Settings.model_fields)
    assert all(line.strip().startswith("SANDBOX_") and "(default: " in line for line in described)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "a-name.example"])
def test_an_address_that_others_reach_needs_tokens_or_a_word_that_it_does_not(monkeypatch, host):
    monkeypatch.setenv("SANDBOX_HOST", host)
    monkeypatch.delenv("SANDBOX_TOKEN_PUBLIC_KEY")
    with pytest.raises(InvalidSettingsError, match=f"SANDBOX_HOST={host}.*SANDBOX_AUTH=off"):
        load()
    monkeypatch.setenv("SANDBOX_AUTH", "off")
    assert load().token_public_key is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_loopback_address_needs_no_tokens(monkeypatch, host):
    monkeypatch.setenv("SANDBOX_HOST", host)
    monkeypatch.delenv("SANDBOX_TOKEN_PUBLIC_KEY")
    assert load().token_public_key is None


def test_tokens_are_not_switched_off_beside_a_key(monkeypatch):
    monkeypatch.setenv("SANDBOX_AUTH", "off")
    with pytest.raises(InvalidSettingsError, match="use one of them"):
        load()
