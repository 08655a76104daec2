import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_sandbox_worker.observation import (
    MAX_CONTENT_BYTES,
    cut,
    presentable,
    presentable_one,
)


@given(st.text(max_size=200))
def test_short_text_is_left_alone(text):
    assert cut(text) == text


@given(st.sampled_from("xé世😀"), st.integers(0, 3))
def test_text_over_the_limit_is_cut_at_a_character(character, before):
    text = "x" * before + character * (MAX_CONTENT_BYTES // len(character.encode()) + 1)
    shown, note = cut(text).rsplit("\n", 1)
    assert text.startswith(shown)
    assert MAX_CONTENT_BYTES - 4 < len(shown.encode()) <= MAX_CONTENT_BYTES
    assert str(len(text.encode())) in note


def test_text_at_the_limit_is_whole():
    text = "x" * MAX_CONTENT_BYTES
    assert cut(text) == text


def test_lone_surrogates_do_not_keep_long_text_from_being_cut():
    assert "[cut:" in cut("\ud800" * (MAX_CONTENT_BYTES + 1))


def test_further_fields_of_a_message_are_kept():
    message = {"role": "tool", "content": "3", "tool_call_id": "a"}
    assert presentable([message]) == [message]


@pytest.mark.parametrize(
    "message",
    [None, "text", {}, {"role": "user"}, {"role": "user", "content": None}, {"content": ""}],
)
def test_what_is_no_message_is_an_error(message):
    with pytest.raises(TypeError):
        presentable([message])


@pytest.mark.parametrize("count", [0, 2])
def test_a_step_has_exactly_one_message(count):
    with pytest.raises(ValueError, match=str(count)):
        presentable_one([{"role": "user", "content": ""}] * count)
