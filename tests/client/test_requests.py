"""What is sent and read, over all inputs: messages, manifests, answers."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_sandbox import InvalidRequest, TrainingSandboxError
from training_sandbox._answers import _BY_TYPE, read_answer
from training_sandbox._direct import Response
from training_sandbox._manifest import manifest, new_name, read_instance
from training_sandbox._shapes import created, message_of, reward, step_result, task_ids
from training_sandbox_server import errors

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)


@given(st.text())
def test_a_text_becomes_the_content_of_an_assistants_message(text: str) -> None:
    assert message_of(text) == {"role": "assistant", "content": text}


@given(OBJECTS, st.text())
def test_a_message_is_sent_as_it_is(fields: dict[str, object], role: str) -> None:
    message = {**fields, "role": role}
    assert message_of(message) == message


@given(JSON.filter(lambda value: not isinstance(value, str)))
def test_what_is_neither_is_refused(value: object) -> None:
    if isinstance(value, dict) and isinstance(value.get("role"), str):
        assert message_of(value) == value
    else:
        with pytest.raises(InvalidRequest, match="action"):
            message_of(value)


@given(st.text())
def test_a_generated_name_is_valid_for_kubernetes(env_type: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", new_name(env_type))
    assert len(new_name(env_type)) <= 50


@given(OBJECTS)
def test_the_params_of_a_task_reach_the_object_unchanged(params: dict[str, object]) -> None:
    wanted = manifest("name", "appworld", task_id="task", params=params, overrides={})
    assert read_instance(json.loads(json.dumps(wanted))).params == params


@given(JSON)
def test_any_object_of_the_api_can_be_read(resource: object) -> None:
    assert isinstance(read_instance(resource).phase, str)


@given(st.integers(200, 599), st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_answer_is_data_or_an_error_of_ours(status: int, content: bytes) -> None:
    try:
        answer = read_answer(Response(status, {}, content))
    except TrainingSandboxError:
        return
    assert isinstance(answer.success, bool)


def test_every_error_of_the_server_has_a_kind_of_its_own() -> None:
    types = {error.type for error in errors.SandboxError.__subclasses__()}
    assert types == set(_BY_TYPE)


@pytest.mark.parametrize("read", [created, step_result, task_ids, reward])
@given(data=JSON)
def test_any_data_is_of_its_shape_or_an_error_of_ours(read: object, data: object) -> None:
    try:
        shaped = read(data)
    except TrainingSandboxError:
        return
    assert isinstance(shaped, dict | list | float)
