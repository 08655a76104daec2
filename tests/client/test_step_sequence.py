"""The numbering of steps, against a server that executes each number once."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from training_sandbox import CallTimedOut, InvalidRequest, OutOfOrder, ServerFault
from training_sandbox._steps import StepSequence

ACTIONS = st.sampled_from(["a", "b", "c"])


class AnEpisode(RuleBasedStateMachine):
    """A client whose answers get lost, and a server that may or may not have executed a step."""

    @initialize()
    def open(self) -> None:
        self.steps = StepSequence(0)
        self.executed: list[str] = []
        self.wanted: list[str] = []
        self.unanswered: str | None = None

    def serve(self, index: int, action: str) -> None:
        """What the server does with a step that reaches it."""
        if index == len(self.executed):
            self.executed.append(action)
        assert (index, action) == (len(self.executed) - 1, self.executed[-1])

    def send(self, action: str, *, reaches: bool, failure: Exception | None) -> None:
        with self.steps.sending({"content": action}) as index:
            if reaches:
                self.serve(index, action)
            if failure:
                raise failure

    @precondition(lambda self: self.steps.next_index is not None)
    @rule(action=ACTIONS)
    def is_answered(self, action: str) -> None:
        action = self.unanswered or action
        self.send(action, reaches=True, failure=None)
        self.wanted.append(action)
        self.unanswered = None

    @precondition(lambda self: self.steps.next_index is not None)
    @rule(action=ACTIONS, reaches=st.booleans())
    def loses_its_answer(self, action: str, *, reaches: bool) -> None:
        action = self.unanswered or action
        try:
            self.send(action, reaches=reaches, failure=CallTimedOut("lost"))
        except CallTimedOut:
            self.unanswered = action

    @precondition(lambda self: self.steps.next_index is not None and not self.unanswered)
    @rule(action=ACTIONS)
    def is_refused(self, action: str) -> None:
        try:
            self.send(action, reaches=False, failure=InvalidRequest("refused"))
        except InvalidRequest:
            assert self.steps.next_index == len(self.executed)

    @precondition(lambda self: self.steps.next_index is not None and not self.unanswered)
    @rule(action=ACTIONS, executes=st.booleans())
    def fails_in_the_server(self, action: str, *, executes: bool) -> None:
        try:
            self.send(action, reaches=executes, failure=ServerFault("500"))
        except ServerFault:
            self.wanted += [action] * executes
            assert self.steps.next_index is None

    @precondition(lambda self: self.steps.next_index is None)
    @rule()
    def asks_where_it_stands(self) -> None:
        self.steps.resume_at(len(self.executed))

    @precondition(lambda self: self.unanswered)
    @rule(action=ACTIONS)
    def sends_another_action_meanwhile(self, action: str) -> None:
        if action == self.unanswered:
            return
        try:
            self.send(action, reaches=True, failure=None)
        except OutOfOrder:
            return
        raise AssertionError("an action was sent under the number of another")

    @invariant()
    def every_wanted_action_was_executed_once_and_in_order(self) -> None:
        executed = list(self.executed)
        if self.unanswered and len(executed) > len(self.wanted):
            assert executed.pop() == self.unanswered
        assert executed == self.wanted


TestAnEpisode = AnEpisode.TestCase
