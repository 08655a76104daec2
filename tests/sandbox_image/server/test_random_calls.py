"""Random calls of a real server, checked against what a caller may expect of it."""

import itertools

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

IDS = st.sampled_from(["first", "second", "third"])
SLOTS = 2


class Expected:
    """An episode as its caller sees it."""

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        self.total = 0
        self.steps = 0
        self.terminated = False


class Calls(RuleBasedStateMachine):
    """Calls of three ids; each run has ids of its own."""

    server = None
    runs = itertools.count()

    @initialize()
    def begin(self):
        self.run = next(self.runs)
        self.living: dict[str, Expected] = {}
        self.over: dict[str, str] = {}

    def id(self, name: str) -> str:
        return f"{name}-{self.run}"

    def refused(self, name: str) -> str | None:
        if name in self.living:
            return None
        return f"episode_{self.over[name]}" if name in self.over else "episode_not_found"

    def answer(self, response) -> tuple[str | None, object]:
        body = response.json()
        return (None, body["data"]) if body["success"] else (body["error"]["type"], None)

    @rule(name=IDS, task_id=st.sampled_from(["count-to-10", "count-to-3"]))
    def create(self, name, task_id):
        response = self.server.post("create", task_id=task_id, instance_id=self.id(name))
        kind, _ = self.answer(response)
        if name in self.living:
            same = self.living[name].task_id == task_id
            assert kind == (None if same else "episode_exists")
        elif len(self.living) == SLOTS:
            assert kind == "full"
        else:
            assert kind is None
            self.living[name] = Expected(task_id)
            self.over.pop(name, None)

    @rule(name=IDS, number=st.integers(0, 3), index=st.none() | st.integers(0, 4))
    def add(self, name, number, index):
        kind, data = self.answer(self.server.act(self.id(name), f"add {number}", step_index=index))
        if self.refused(name):
            assert kind == self.refused(name)
            return
        expected = self.living[name]
        if index is not None and index == expected.steps - 1:
            assert kind in (None, "out_of_order")
        elif index not in (None, expected.steps):
            assert kind == "out_of_order"
        elif expected.terminated:
            assert kind == "episode_terminated"
        else:
            expected.steps += 1
            expected.total += number
            assert data["state"][0]["content"] == str(expected.total)

    @rule(name=IDS)
    def finish(self, name):
        kind, data = self.answer(self.server.act(self.id(name), "done"))
        if self.refused(name):
            assert kind == self.refused(name)
        elif self.living[name].terminated:
            assert kind == "episode_terminated"
        else:
            self.living[name].terminated = True
            self.living[name].steps += 1
            assert data["reward"] == self.reward(name)

    @rule(name=IDS)
    def evaluate(self, name):
        kind, data = self.answer(self.server.post("evaluate", instance_id=self.id(name)))
        assert (kind, data) == (
            (self.refused(name), None) if self.refused(name) else (None, self.reward(name))
        )

    @rule(name=IDS)
    def die(self, name):
        if name in self.living and not self.living[name].terminated:
            kind, _ = self.answer(self.server.act(self.id(name), "kill 9"))
            assert kind == "episode_lost"
            self.over[name] = "lost"
            del self.living[name]

    @rule(name=IDS)
    def release(self, name):
        known = name in self.living or name in self.over
        assert self.server.post("release", instance_id=self.id(name)).json()["success"] is known
        if self.living.pop(name, None):
            self.over[name] = "released"

    def reward(self, name: str) -> float:
        expected = self.living[name]
        return min(expected.total / int(expected.task_id.rsplit("-", 1)[1]), 1.0)

    @invariant()
    def slots_are_taken_by_the_living(self):
        assert self.server.used_slots() == len(self.living)

    def teardown(self):
        for name in self.living:
            self.server.post("release", instance_id=self.id(name))


@pytest.fixture
def calls(run_server, tmp_path):
    state = {"SANDBOX_STATE_DIR": str(tmp_path), "SANDBOX_SLOTS": str(SLOTS)}
    with run_server(state) as server:
        yield type("CallsOfServer", (Calls,), {"server": server.wait_until_ready()})


def test_no_sequence_of_calls_surprises_a_caller(calls):
    run_state_machine_as_test(
        calls,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
