"""Agent code that forges what is saved of its world, or patches whoever judges it.

A saved state is its own world's, and it may play in it as it likes; but nothing in it is executed
that is no change of rows, and what is evaluated is evaluated elsewhere, by code that it never had.
These cases are held by the check of the state and by the evaluation's own process.
"""

import sqlite3

import pytest

from tests.sandbox_image.hostile.agent_code import smuggle

TOOLS = """
from training_sandbox_appworld.episode import AppWorldEpisode
from appworld.apps.model_lib import CachedDBHandler


def trackers():
    for engine, tracker in CachedDBHandler.cache.values():
        yield tracker


def inject(statement, parameters=(), many=False):
    # What is saved are the tracked changes: one more, for every app.
    for tracker in trackers():
        tracker.changes.append((statement, parameters, many))


def save(content):
    AppWorldEpisode.save = lambda self: content
"""

STATEMENTS = [
    "ATTACH DATABASE '{path}' AS other",
    "VACUUM INTO '{path}'",
    "INSERT INTO users (id) VALUES (1); ATTACH DATABASE '{path}' AS other",
    "/* INSERT INTO users (id) VALUES (?) */ ATTACH DATABASE '{path}' AS other",
    "PRAGMA writable_schema = 1",
    "PRAGMA temp_store_directory = '{path}'",
    "CREATE TRIGGER spy AFTER INSERT ON tasks BEGIN DELETE FROM tasks; END",
    "CREATE TEMP TABLE tasks (id)",
    "DROP TABLE tasks",
    "ALTER TABLE tasks RENAME TO others",
    "UPDATE sqlite_master SET sql = ''",
    "INSERT INTO tasks (id) SELECT load_extension('{path}')",
    "INSERT INTO tasks (id) SELECT zeroblob(1000000000) FROM tasks",
    "INSERT INTO tasks WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n",
    "SELECT 1",
    "BEGIN EXCLUSIVE",
    "",
]

STATES = [
    "b''",
    "b'x' * 100",
    "b'{}'",
    "b'[' * 100_000",
    'b\'{"changes": {"supervisor": 1}, "model_hashes": {}}\'',
    'b\'{"changes": {"nonesuch": []}, "model_hashes": {}}\'',
    'b\'{"changes": {}, "model_hashes": {}}\'',
    'b\'{"changes": {}, "model_hashes": {"../../evaluation": {"x": 1}}}\'',
    "b'\\xff' * 10_000_000",
    "b'x' * 100_000_000",
    "'text'",
    "None",
    "__import__('pickle').dumps([1, 'text'])",
]


@pytest.fixture
def untouched_reward(confined, hostile) -> float:
    return confined.server.data("evaluate", instance_id=hostile.id)


def is_honest(response, untouched_reward: float) -> bool:
    """Whether a score is the untouched world's, or none at all."""
    if response.status_code == 200:
        return response.json()["data"] == untouched_reward
    return response.json()["error"]["type"] in ("evaluation_failed", "episode_lost")


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_that_is_no_change_of_rows_is_not_executed(
    confined, hostile, untouched_reward, statement
):
    path = confined.scratch / "attached.db"
    code = f"{TOOLS}\ninject(known['statement'])"
    known = {"statement": statement.format(path=path)}
    response = hostile.act(smuggle(code, known))
    assert response.status_code == 200
    assert "Traceback" not in response.text
    evaluated = confined.server.post("evaluate", instance_id=hostile.id)
    assert evaluated.status_code != 200
    assert is_honest(evaluated, untouched_reward)
    assert not path.exists()


def test_sqlite_would_execute_such_statements(tmp_path):
    path = tmp_path / "attached.db"
    with sqlite3.connect(":memory:") as connection:
        connection.execute(STATEMENTS[0].format(path=path))
        connection.execute("CREATE TABLE other.here (id)")
    assert path.exists()


@pytest.mark.parametrize("state", STATES)
def test_a_forged_state_has_no_score_but_its_worlds(confined, hostile, untouched_reward, state):
    response = hostile.act(smuggle(f"{TOOLS}\nsave({state})", {}))
    assert response.status_code == 200
    assert "Traceback" not in response.text
    assert is_honest(confined.server.post("evaluate", instance_id=hostile.id), untouched_reward)


@pytest.mark.parametrize(
    "patch",
    [
        """
from appworld import evaluator
class Passed:
    passes, failures, success = [1, 2], [], True
evaluator.evaluate_task = lambda *_, **__: Passed()
evaluator.TestTracker.failures = property(lambda self: [], lambda self, value: None)
mine = Passed() if evaluator.evaluate_task().success else None
""",
        """
from training_sandbox_appworld import environment, evaluation
from training_sandbox_worker import evaluation as of_worker
environment.AppWorldEnvironment.evaluate = lambda *_, **__: 1.0
of_worker.checked_reward = lambda reward: 1.0
mine = environment.AppWorldEnvironment.evaluate()
""",
        """
import json as of_all
of_all.loads = lambda *_, **__: {'changes': {}, 'model_hashes': {}}
sys.modules['evaluation'] = type(sys)('evaluation')
sys.modules['evaluation'].evaluate = lambda **_: None
sys.path.insert(0, known['scratch'])
mine = of_all.loads('')
""",
        """
import random, secrets, sqlite3
sqlite3.connect = lambda *_, **__: None
random.seed(0)
builtins.len = lambda *_: 2
mine = len([])
""",
    ],
    ids=["appworlds-evaluator", "the-runtimes-evaluation", "modules", "builtins"],
)
def test_patches_of_the_evaluator_do_not_reach_the_evaluation(
    confined, hostile, untouched_reward, patch
):
    known = {"scratch": str(confined.scratch)}
    response = hostile.act(smuggle(f"{patch}\nprint('patched:', bool(mine))", known))
    if response.status_code == 200:
        assert "patched: True" in response.text
    assert is_honest(confined.server.post("evaluate", instance_id=hostile.id), untouched_reward)


def test_patches_of_apps_and_requester_stay_in_the_episode(
    confined, hostile, bystander, untouched_reward
):
    patch = """
from appworld import requester
from appworld.apps import model_lib
requester.Requester.request = lambda *_, **__: {'patched': True}
model_lib.SQLModel.__init__ = None
apis.supervisor = None
"""
    hostile.act(smuggle(patch, {}))
    assert bystander.advance()
    assert is_honest(confined.server.post("evaluate", instance_id=hostile.id), untouched_reward)


def test_a_task_completed_by_force_is_scored_as_the_world_is(confined, hostile, untouched_reward):
    force = """
from training_sandbox_appworld.episode import AppWorldEpisode
from appworld.environment import AppWorld
AppWorld.task_completed = lambda self: True
"""
    response = hostile.act(smuggle(force, {}))
    assert response.json()["data"]["is_terminated"] is True
    assert response.json()["data"]["reward"] == untouched_reward
