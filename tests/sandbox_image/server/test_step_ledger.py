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
            step = ExecutedStep(action, {"content": str(len(self.executed))}, terminated=False)
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


TestLedger = LedgerMachine.TestCase


def test_equal_messages_have_equal_fingerprints_in_any_order_of_members():
    assert fingerprint({"role": "a", "content": "b"}) == fingerprint({"content": "b", "role": "a"})


def test_different_messages_have_different_fingerprints():
    assert fingerprint({"content": "1"}) != fingerprint({"content": 1})
