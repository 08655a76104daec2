"""The ledger of an episode's steps against a model that remembers everything."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from training_sandbox_server.errors import OutOfOrderError
from training_sandbox_server.step_ledger import ExecutedStep, StepLedger, fingerprint

actions = st.sampled_from([b"left", b"right"])


class LedgerMachine(RuleBasedStateMachine):
    """Calls with and without an index, in any order, repeated or not."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = StepLedger()
        self.executed: list[ExecutedStep] = []

    def call(self, index, action):
        """What a server does with a step; returns its answer."""
        step = self.ledger.repeated(index, action)
        if step is None:
            observation = {"content": str(len(self.executed))}
            step = ExecutedStep(action, observation, truncated=False, terminated=False)
            self.ledger.record(step)
            self.executed.append(step)
        return step

    @rule(action=actions)
    def a_call_without_an_index_is_executed(self, action):
        before = len(self.executed)
        assert self.call(None, action) is self.executed[before]

    @rule(action=actions)
    def a_call_with_the_next_index_is_executed(self, action):
        before = len(self.executed)
        assert self.call(before, action) is self.executed[before]

    @rule(action=actions, index=st.integers(0, 12))
    def a_call_with_any_index_is_executed_answered_again_or_refused(self, action, index):
        before = len(self.executed)
        is_last = 0 <= index == before - 1
        if index == before:
            assert self.call(index, action) is self.executed[before]
        elif is_last and self.executed[-1].fingerprint == action:
            assert self.call(index, action) is self.executed[-1]
        else:
            with pytest.raises(OutOfOrderError) as refused:
                self.call(index, action)
            assert refused.value.facts == {"expected_step_index": before}
            assert len(self.executed) == before

    @invariant()
    def the_count_is_the_number_of_executions(self):
        assert self.ledger.executed == len(self.executed)


def step(*, terminated: bool) -> ExecutedStep:
    return ExecutedStep(b"action", {}, truncated=False, terminated=terminated)


def test_rewards_are_those_since_the_last_step():
    ledger = StepLedger(rewards={False: 0.5})
    ledger.record(step(terminated=False))
    assert ledger.rewards == {}


@pytest.mark.parametrize(("terminated", "final"), [(True, 0.5), (False, None)])
def test_a_reward_is_final_when_the_task_is_over(terminated, final):
    ledger = StepLedger()
    ledger.record(step(terminated=terminated))
    assert ledger.final_reward is None
    ledger.rewards |= {False: 0.5, True: 0.0}
    assert ledger.final_reward == final


def test_a_copy_goes_its_own_way():
    ledger = StepLedger()
    ledger.record(step(terminated=False))
    copy = ledger.copy()
    assert copy.repeated(0, b"action") is ledger.last
    copy.record(step(terminated=False))
    copy.rewards[False] = 1.0
    assert (ledger.executed, ledger.rewards) == (1, {})


TestLedger = LedgerMachine.TestCase


def test_equal_messages_have_equal_fingerprints_in_any_order_of_members():
    assert fingerprint({"role": "a", "content": "b"}) == fingerprint({"content": "b", "role": "a"})


def test_different_messages_have_different_fingerprints():
    assert fingerprint({"content": "1"}) != fingerprint({"content": 1})
