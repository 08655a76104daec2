"""The election: whatever is lost, late or paused, no two processes may write at once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.operator import builders as build
from training_sandbox_operator.decisions.election import Candidate, Step, Terms
from training_sandbox_operator.model.lease import Lease, given_back, held_by

TERMS = Terms(10)


def lease(holder: str, version: str = "1", seconds: int = 10) -> Lease:
    return Lease(holder, seconds, 0, "", version)


@pytest.fixture
def candidate() -> Candidate:
    return Candidate("a", TERMS)


def test_a_lease_that_nobody_has_made_or_holds_is_taken(candidate: Candidate) -> None:
    assert candidate.observe(None, 0).next_step(0) is Step.TAKE
    assert candidate.observe(lease(""), 0).next_step(0) is Step.TAKE


def test_a_lease_of_another_is_taken_when_it_was_not_renewed_for_its_time(
    candidate: Candidate,
) -> None:
    candidate = candidate.observe(lease("b", "1"), 100)
    assert candidate.observe(lease("b", "1"), 109.9).next_step(109.9) is Step.WAIT
    assert candidate.next_step(110) is Step.TAKE
    assert candidate.observe(lease("b", "2"), 109.9).next_step(119) is Step.WAIT


def test_a_lease_that_was_deleted_is_waited_for_as_if_it_had_just_been_renewed(
    candidate: Candidate,
) -> None:
    candidate = candidate.observe(lease("b"), 0).observe(None, 5).observe(None, 7)
    assert candidate.next_step(14.9) is Step.WAIT
    assert candidate.next_step(15) is Step.TAKE


def test_a_leader_counts_from_when_it_asked_and_stops_before_others_may_begin(
    candidate: Candidate,
) -> None:
    leader = candidate.grant(lease("a"), asked_at=0)
    assert leader.next_step(1.9) is Step.REST
    assert leader.next_step(2) is Step.TAKE
    assert leader.leads(7.9)
    assert not leader.leads(8)
    assert leader.next_step(8) is Step.STOP


@pytest.mark.parametrize("seen", [None, lease("b", "2"), lease("", "2")])
def test_a_leader_that_does_not_find_its_name_stops(
    candidate: Candidate, seen: Lease | None
) -> None:
    leader = candidate.grant(lease("a"), asked_at=0).observe(seen, 1)
    assert not leader.leads(1)
    assert leader.next_step(1) is Step.STOP


def test_an_acquisition_whose_answer_was_lost_is_found_and_made_good(candidate: Candidate) -> None:
    found = candidate.observe(lease("a", "7"), 3)
    assert not found.leads(3)
    assert found.next_step(3) is Step.TAKE


def test_a_record_tells_since_when_and_how_often_the_holder_has_changed() -> None:
    first = held_by("a", 10, None, build.CREATED)
    taken = Lease.from_api({"metadata": {"resourceVersion": "1"}, "spec": first})
    renewed = held_by("a", 10, taken, build.after(2))
    assert (renewed["acquireTime"], renewed["leaseTransitions"]) == (first["acquireTime"], 0)
    assert renewed["renewTime"] == "2026-01-01T12:00:02.000000Z"
    assert held_by("b", 10, taken, build.after(2))["leaseTransitions"] == 1
    assert given_back(taken, build.after(2))["holderIdentity"] == ""


@dataclass
class Process:
    """A candidate with a slow network: what it asks is done later, and answered later still."""

    candidate: Candidate
    asked: tuple[float, Lease | None] | None = None
    answer: tuple[float, Lease | None] | None = None
    has_stopped: bool = False


@dataclass
class Server:
    """The API server's record: a write is done when it names the version that is there."""

    record: Lease | None = None
    versions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def write(self, holder: str, seen: Lease | None) -> Lease | None:
        if self.record != seen:
            return None
        self.record = lease(holder, str(next(self.versions)))
        return self.record


processes = st.integers(0, 1)


class ElectionMachine(RuleBasedStateMachine):
    """Two processes, whose requests, answers and steps come at any time, or never."""

    @initialize()
    def begin(self) -> None:
        self.now = 0.0
        self.server = Server()
        self.lives = itertools.count()
        self.processes = [self._new() for _ in range(2)]

    def _new(self) -> Process:
        return Process(Candidate(f"life-{next(self.lives)}", TERMS))

    @rule(index=processes, seconds=st.sampled_from([0, 0, 2, 7, 9, 10]))
    def look_and_act_later(self, index: int, seconds: float) -> None:
        self.look(index)
        self.now += seconds
        self.act(index, "done")

    @rule(index=processes)
    def look(self, index: int) -> None:
        process = self.processes[index]
        if process.asked is None:
            process.candidate = process.candidate.observe(self.server.record, self.now)

    @rule(index=processes, fate=st.sampled_from(["done", "done", "slow", "unanswered"]))
    def act(self, index: int, fate: str) -> None:
        process = self.processes[index]
        if process.asked is not None:
            return
        match process.candidate.next_step(self.now):
            case Step.TAKE:
                process.asked = (self.now, process.candidate.seen)
                if fate != "slow":
                    self.request_arrives(index)
                    self.answer_arrives(index, is_lost=fate == "unanswered")
            case Step.STOP:
                self._begin_anew(index)
            case Step.WAIT | Step.REST:
                pass

    @rule(index=processes)
    def request_arrives(self, index: int) -> None:
        process = self.processes[index]
        if process.asked is not None and process.answer is None:
            asked_at, seen = process.asked
            done = self.server.write(process.candidate.identity, seen)
            process.answer = (asked_at, done)

    @rule(index=processes, is_lost=st.booleans())
    def answer_arrives(self, index: int, is_lost: bool) -> None:
        process = self.processes[index]
        if process.answer is None:
            return
        asked_at, done = process.answer
        process.asked = process.answer = None
        if done is not None and not is_lost:
            process.candidate = process.candidate.grant(done, asked_at)

    @rule(index=processes, what=st.sampled_from(["crash", "resignation", "deletion"]))
    def misfortune(self, index: int, what: str) -> None:
        process = self.processes[index]
        if what == "crash":
            self._begin_anew(index)
        elif what == "resignation":
            if process.asked is None and process.candidate.leads(self.now):
                self.server.write("", process.candidate.seen)
                self.processes[index] = self._new()
        elif all(one.candidate.seen is not None for one in self.processes):
            # Who has never seen the lease takes a new one at once: nobody is to delete it.
            self.server.record = None

    def _begin_anew(self, index: int) -> None:
        # Two misfortunes in one term, a lease deleted by hand and the end of who has seen one, are
        # not survived: a process that has never seen the lease takes a new one at once.
        candidate = self.processes[index].candidate
        knows_of_a_lease = candidate.seen is not None or candidate.leads_until is not None
        awaits_its_end = candidate.held_until > self.now
        if self.server.record is not None or not (knows_of_a_lease or awaits_its_end):
            self.processes[index] = self._new()

    @invariant()
    def one_leads_at_most(self) -> None:
        leaders = [one for one in self.processes if one.candidate.leads(self.now)]
        assert len(leaders) <= 1

    def teardown(self) -> None:
        """Somebody leads after a while of good weather."""
        now = self.now
        record, candidates = self.server.record, [one.candidate for one in self.processes]
        for _ in range(60):
            now += TERMS.look_every
            for index, one in enumerate(candidates):
                seen = one.observe(record, now)
                if seen.next_step(now) is Step.TAKE and seen.seen == record:
                    record = lease(one.identity, f"calm-{now}-{index}")
                    seen = seen.grant(record, now)
                candidates[index] = seen
        living = [one for one in candidates if one.next_step(now) is not Step.STOP]
        assert any(one.leads(now) for one in living) or not living


TestElection = ElectionMachine.TestCase
TestElection.settings = settings(max_examples=200, stateful_step_count=20)
