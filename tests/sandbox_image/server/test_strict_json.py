import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_sandbox_server.strict_json import MAX_NESTING, parse, respond

scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text()
finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    scalars | finite,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_answered_can_be_read_again(value):
    assert parse(bytes(respond(value).body)) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_a_decode_error(body):
    with contextlib.suppress(json.JSONDecodeError):
        parse(body)


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400"])
def test_numbers_without_a_size_are_not_read(literal):
    with pytest.raises(json.JSONDecodeError):
        parse(b'{"reward": ' + literal + b"}")


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a": ', b"}")])
def test_nesting_is_limited(opening, closing):
    allowed = opening * MAX_NESTING + b"0" + closing * MAX_NESTING
    assert parse(allowed)
    for deeper in (opening + allowed + closing, opening * 900 + b"0" + closing * 900):
        with pytest.raises(json.JSONDecodeError, match="nested"):
            parse(deeper)


def test_nan_is_not_written():
    with pytest.raises(ValueError, match="JSON"):
        respond({"reward": float("nan")})


def test_lone_surrogates_are_written_as_question_marks():
    assert json.loads(bytes(respond({"content": "a\ud800b"}).body)) == {"content": "a?b"}


def test_text_is_written_as_utf8_not_escaped():
    assert "ü世".encode() in bytes(respond({"content": "ü世"}).body)
