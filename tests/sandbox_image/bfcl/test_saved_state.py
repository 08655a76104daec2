"""What evaluation is given may be anything: it is checked, and executes nothing but calls."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_sandbox_bfcl.saved_state import MAX_BYTES, StateTampered, decode, encode
from training_sandbox_worker.environment import Task

TASK = Task("multi_turn_base_0", {})

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["turns", "a"]), inner),
)


@given(st.lists(st.lists(st.text()), min_size=1, max_size=9))
def test_saved_calls_are_read_again(turns):
    assert decode(encode(turns), most_turns=9) == turns


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"\x80\x04.",
        b"[" * 100_000,
        b"null",
        b"{}",
        b'{"turns": 5}',
        b'{"turns": []}',
        b'{"turns": [5]}',
        b'{"turns": [[5]]}',
        b'{"turns": [["cd()"]], "reward": 1}',
        json.dumps({"turns": [[]] * 5}).encode(),
        b'{"turns": [["' + b"a" * MAX_BYTES + b'"]]}',
    ],
)
def test_another_state_is_tampered_with(environment, state):
    with pytest.raises(StateTampered):
        environment.evaluate(TASK, state, sparse=False)


@settings(max_examples=50)
@given(ANY_JSON | ANY_JSON.map(lambda value: {"turns": value}))
def test_any_json_is_scored_or_refused(environment, content):
    try:
        reward = environment.evaluate(TASK, json.dumps(content).encode(), sparse=False)
    except StateTampered:
        return
    assert 0.0 <= reward <= 1.0


def test_a_forged_call_executes_nothing(environment, tmp_path):
    canary = tmp_path / "executed"
    forged = [f"open({str(canary)!r}, 'w')", f"cd(folder=open({str(canary)!r}, 'w'))"]
    assert environment.evaluate(TASK, encode([forged]), sparse=False) == 0.0
    assert not canary.exists()


def test_results_are_not_believed_but_calls_made_again(environment, truth):
    right = truth(TASK.id)
    assert environment.evaluate(TASK, encode(right), sparse=False) == 1.0
    assert environment.evaluate(TASK, encode(right), sparse=False) == 1.0
    assert environment.evaluate(TASK, encode([right[0], *right[:3]]), sparse=True) == 0.0
