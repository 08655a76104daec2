"""Random calls of a real server, alone and at once, checked against a model of what it must answer.

No step is executed twice, no reward is lost or made up, and no slot and no process stay behind.
SANDBOX_STATEFUL_RUNS: how many sequences of calls (default 25; `make test-long`: 2000).
"""

import contextlib
import itertools
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.sandbox_image.server.episode_model import (
    SPOILT,
    Model,
    Refused,
    Stepped,
    trajectory_steps,
)

RUNS = int(os.environ.get("SANDBOX_STATEFUL_RUNS") or 25)
CALLS_OF_A_RUN = 30
SLOTS = 8
NAMES = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
AIM = st.integers(0, 2 * SLOTS)
"""Which of the episodes that a call can be for."""
NOBODY = SLOTS + 1
NEW = st.integers(1, 2) | st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)
"""New episodes: so many with free names, or these, which may be there already."""
TASKS = st.sampled_from(["count-to-10", "count-to-3"])
NUMBERS = st.integers(0, 4)
ACTIONS = st.sampled_from(
    [f"add {number}" for number in range(5)]
    + [f"spoil {state}" for state in sorted(SPOILT)]
    + ["done", "done", "jump"]
)
TOO_SHORT_SECONDS = 0.005
OUT_OF_ORDER = Refused("out_of_order")

some_live = precondition(lambda self: self.model.living)
some_play = precondition(lambda self: self.playing)


class Calls(RuleBasedStateMachine):
    """One run: its ids are its own, the server is that of all runs."""

    server = None
    threads = None
    wait_until = None
    runs = itertools.count(1)

    def __init__(self):
        super().__init__()
        self.run = next(self.runs)
        self.model = Model(SLOTS)

    @initialize(n=st.integers(1, 3), task_id=TASKS)
    def begin(self, n, task_id):
        self.create_group(n, task_id)

    @rule(new=NEW, task_id=TASKS)
    def create(self, new, task_id):
        name = self.names(new)[0]
        expected = self.model.create([name], task_id)
        answer = self.post("create", name, task_id=task_id)
        if not isinstance(expected, Refused):
            answer = [self.name_of(answer)]
        assert answer == expected

    @rule(new=NEW, task_id=TASKS)
    def create_group(self, new, task_id):
        names = self.names(new)
        expected = self.model.create(names, task_id)
        assert self.names_of(self.post_several("create_group", names, task_id=task_id)) == expected

    @rule(n=st.integers(1, 3), task_id=TASKS)
    def create_group_with_made_up_ids(self, n, task_id):
        answer = self.post("create_group", task_id=task_id, n=n)
        if n > self.model.free:
            assert answer == Refused("full")
        else:
            for episode in answer["episodes"]:
                self.server.data("release", instance_id=episode["info"]["instance_id"])

    @rule(aim=AIM, new=NEW, reseed=st.booleans(), again=st.booleans())
    def fork(self, aim, new, reseed, again):
        name, names = self.one_or_nobody(aim), self.names(new)
        for _ in range(1 + again):
            expected = self.model.fork(name, names, reseed=reseed)
            answer = self.post_several("fork", names, name, reseed=reseed)
            if not isinstance(expected, Refused):
                self.check_branches(name, answer)
            assert self.names_of(answer) == expected

    @rule(aim=AIM, actions=st.lists(ACTIONS, min_size=1, max_size=4), counted=st.booleans())
    def steps(self, aim, actions, counted):
        name = self.one_or_nobody(aim)
        for action in actions:
            index = self.index(name, 0) if counted else None
            assert self.act(name, action, index) == self.model.step(name, action, index)

    @some_live
    @rule(aim=AIM, action=ACTIONS, offset=st.sampled_from([-1, -2, 1, 3]))
    def step_out_of_order(self, aim, action, offset):
        name = self.one_that_lives(aim)
        index = self.index(name, offset)
        assert self.act(name, action, index) == self.model.step(name, action, index)

    @some_live
    @rule(aim=AIM)
    def repeat_the_last_step(self, aim):
        name = self.one_that_lives(aim)
        for action, _ in self.model.living[name].executed[-1:]:
            index = self.index(name, -1)
            assert self.act(name, action, index) == self.model.step(name, action, index)

    @some_play
    @rule(aim=AIM, numbers=st.lists(NUMBERS, min_size=2, max_size=4))
    def steps_with_one_index_at_once(self, aim, numbers):
        """One is executed; the same again are answered as it was, the others are refused."""
        name = self.one_that_plays(aim)
        index = self.index(name, 0)
        actions = [f"add {number}" for number in numbers]
        answers = list(self.threads.map(lambda action: self.act(name, action, index), actions))
        answered = [
            (action, answer)
            for action, answer in zip(actions, answers, strict=True)
            if answer != OUT_OF_ORDER
        ]
        (executed,) = {action for action, _ in answered}
        expected = self.model.step(name, executed, index)
        assert answered == [(executed, expected)] * actions.count(executed)

    @some_play
    @rule(aim=AIM, numbers=st.lists(st.integers(1, 4), min_size=2, max_size=4))
    def steps_without_index_at_once(self, aim, numbers):
        """All are executed, one after the other."""
        name = self.one_that_plays(aim)
        actions = [f"add {number}" for number in numbers]
        answers = list(self.threads.map(lambda action: self.act(name, action, None), actions))
        in_order = sorted(zip(answers, actions, strict=True), key=lambda one: int(one[0].content))
        for answer, action in in_order:
            assert answer == self.model.step(name, action, None)

    @some_play
    @rule(aim=AIM, number=NUMBERS)
    def step_whose_answer_is_lost(self, aim, number):
        """However far the first call came: with the second, the step is executed once."""
        name = self.one_that_plays(aim)
        action, index = f"add {number}", self.index(name, 0)
        body = self.step_body(name, action, index)
        with contextlib.suppress(httpx.TimeoutException):
            self.server.http.post("/step", json=body, timeout=TOO_SHORT_SECONDS)
        assert self.act(name, action, index) == self.model.step(name, action, index)

    @rule(aim=AIM, sparse=st.lists(st.booleans(), min_size=1, max_size=3))
    def evaluate(self, aim, sparse):
        name = self.one_or_nobody(aim)
        for one in sparse:
            answer = self.post("evaluate", name, params={"sparse": one})
            assert answer == self.model.evaluate(name, sparse=one)

    @some_play
    @rule(aim=AIM, number=NUMBERS)
    def evaluate_and_step_at_once(self, aim, number):
        """The reward is that of before or after the step, as they came."""
        name, action = self.one_that_plays(aim), f"add {number}"
        evaluation = self.threads.submit(self.post, "evaluate", name)
        before = self.model.evaluate(name, sparse=False)
        assert self.act(name, action, None) == self.model.step(name, action, None)
        assert evaluation.result() in (before, self.model.evaluate(name, sparse=False))

    @some_play
    @rule(aim=AIM, in_a_step=st.booleans())
    def kill_the_process(self, aim, in_a_step):
        name = self.one_that_plays(aim)
        pid = int(self.observe(name, "pid"))
        sleeping = self.threads.submit(self.act, name, "sleep 60", None) if in_a_step else None
        os.kill(pid, signal.SIGKILL)
        self.model.end(name, "lost")
        if sleeping is not None:
            assert sleeping.result() == Refused("episode_lost")
        assert self.act(name, "add 1", None) == Refused("episode_lost")
        self.wait_until(lambda: self.server.used_slots() == len(self.model.living))

    @rule(aim=AIM)
    def release(self, aim):
        self.release_by_name(self.one_or_nobody(aim))

    @some_play
    @rule(aim=AIM)
    def release_in_a_step(self, aim):
        name = self.one_that_plays(aim)
        sleeping = self.threads.submit(self.act, name, "sleep 60", None)
        self.wait_until(lambda: self.server.status()["idle_seconds"] == 0.0)
        self.release_by_name(name)
        assert sleeping.result() == Refused("episode_released")

    @some_live
    @rule(aim=AIM)
    def read_the_trajectory(self, aim):
        name = self.one_that_lives(aim)
        steps = trajectory_steps(self.server.trajectory(self.id(name)))
        assert steps == self.model.living[name].executed

    @invariant()
    def slots_are_taken_by_the_living(self):
        assert self.server.used_slots() == len(self.model.living)

    def teardown(self):
        for name in list(self.model.living):
            self.release_by_name(name)
        assert self.server.used_slots() == 0
        self.wait_until(lambda: self.server.processes_of_episodes() == 0)

    @property
    def playing(self) -> list[str]:
        return [name for name in NAMES if self.model.is_playing(name)]

    def one_that_lives(self, aim: int) -> str:
        living = sorted(self.model.living)
        return living[aim % len(living)]

    def one_that_plays(self, aim: int) -> str:
        return self.playing[aim % len(self.playing)]

    def one_or_nobody(self, aim: int) -> str:
        """One of the living, or seldom a name that is free."""
        if aim == NOBODY or not self.model.living:
            return self.names(1)[0]
        return self.one_that_lives(aim)

    def names(self, new: int | list[str]) -> list[str]:
        """The names of new episodes."""
        if isinstance(new, list):
            return new
        return [name for name in NAMES if name not in self.model.living][:new]

    def id(self, name: str) -> str:
        return f"{name}-{self.run}"

    def name_of(self, episode) -> str:
        return episode["info"]["instance_id"].removesuffix(f"-{self.run}")

    def names_of(self, answer):
        if isinstance(answer, Refused):
            return answer
        return [self.name_of(episode) for episode in answer["episodes"]]

    def index(self, name: str, offset: int | None) -> int | None:
        """The step index that is so far from the next one."""
        if offset is None:
            return None
        player = self.model.living.get(name)
        return max(0, (len(player.executed) if player else 0) + offset)

    def post(self, verb: str, name: str | None = None, **body: object):
        """The data of an answer, or how it was refused."""
        about = {} if name is None else {"instance_id": self.id(name)}
        response = self.server.post(verb, **about, **body)
        answer = response.json()
        if answer["success"]:
            return answer["data"]
        assert response.status_code >= 400, answer
        assert "data" not in answer, "an error carries no reward"
        return Refused(answer["error"]["type"])

    def post_several(self, verb: str, names: list[str], name: str | None = None, **body: object):
        ids = [self.id(one) for one in names]
        return self.post(verb, name, n=len(ids), instance_ids=ids, **body)

    def act(self, name: str, action: str, index: int | None) -> Stepped | Refused:
        data = self.post("step", **self.step_body(name, action, index))
        if isinstance(data, Refused):
            return data
        return Stepped(data["state"][0]["content"], data["reward"], data["is_terminated"])

    def step_body(self, name: str, action: str, index: int | None) -> dict[str, object]:
        message = {"role": "assistant", "content": action}
        return {"instance_id": self.id(name), "messages": message, "step_index": index}

    def observe(self, name: str, action: str) -> str:
        """What is observed in a step that only looks."""
        answer = self.act(name, action, None)
        assert isinstance(answer, Stepped), answer
        self.model.observe(name, action, answer.content)
        return answer.content

    def check_branches(self, name: str, answer) -> None:
        executed = self.model.living[name].executed
        for episode in answer["episodes"]:
            assert episode["info"]["parent"] == self.id(name)
            assert episode["info"]["step_index"] == len(executed)
            if executed:
                assert episode["state"][0]["content"] == executed[-1][1]

    def release_by_name(self, name: str) -> None:
        answer = self.server.post("release", instance_id=self.id(name))
        assert answer.json()["success"] is self.model.release(name)


@pytest.fixture
def calls(run_server, tmp_path, wait_until):
    state = {"SANDBOX_STATE_DIR": str(tmp_path), "SANDBOX_SLOTS": str(SLOTS)}
    with run_server(state) as server, ThreadPoolExecutor(4) as threads:
        shared = {"server": server.wait_until_ready(), "threads": threads}
        yield type("CallsOfServer", (Calls,), {**shared, "wait_until": staticmethod(wait_until)})


@pytest.mark.timeout(0)
def test_every_answer_is_the_models(calls):
    run_state_machine_as_test(
        calls,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=CALLS_OF_A_RUN,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert next(calls.runs) > RUNS
