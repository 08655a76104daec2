"""What a message asks for: calls in its text or in `tool_calls`, or else nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_sandbox_bfcl.actions import parse_message
from training_sandbox_worker.environment import InvalidAction


def written(content):
    return parse_message({"role": "assistant", "content": content})


def texts(calls):
    return [call.text for call in calls]


def test_blocks_in_the_content_are_calls_in_their_order():
    calls = written(
        'First this:\n<tool_call>\n{"name": "cd", "arguments": {"folder": "a"}}\n</tool_call>\n'
        '<tool_call>{"name": "ls", "arguments": {"a": true}}</tool_call> and so on.'
    )
    assert texts(calls) == ["cd(folder='a')", "ls(a=True)"]
    assert [call.id for call in calls] == ["cd_1", "ls_2"]


def test_a_block_that_is_not_closed_is_a_call():
    assert texts(written('<tool_call>{"name": "pwd", "arguments": {}}')) == ["pwd()"]


@pytest.mark.parametrize("content", ["", "cd(folder='a')", "<tool_call> </tool_call>", None])
def test_other_content_has_no_calls(content):
    assert written(content) == []


@pytest.mark.parametrize("form", ["openai", "flat"])
@pytest.mark.parametrize("as_text", [True, False])
def test_tool_calls_are_calls_named_by_their_ids(form, as_text):
    arguments = {"folder": "a"}
    function = {"name": "cd", "arguments": json.dumps(arguments) if as_text else arguments}
    call = {"id": "call_7", **({"function": function} if form == "openai" else function)}
    (parsed,) = parse_message({"role": "assistant", "content": None, "tool_calls": [call]})
    assert (parsed.id, parsed.text) == ("call_7", "cd(folder='a')")


def test_tool_calls_go_before_the_content():
    content = '<tool_call>{"name": "ls", "arguments": {}}</tool_call>'
    calls = [{"name": "pwd", "arguments": {}}]
    message = {"role": "assistant", "content": content, "tool_calls": calls}
    assert texts(parse_message(message)) == ["pwd()"]


@pytest.mark.parametrize("nothing", ["", None, "{}", {}])
def test_no_arguments_may_be_nothing_at_all(nothing):
    calls = [{"function": {"name": "pwd", "arguments": nothing}}]
    assert texts(parse_message({"tool_calls": calls})) == ["pwd()"]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ("cd(folder='a')", "cd(folder='a')"),
        ('{"name": "cd", "arguments": {', '{"name": "cd", "arguments": {'),
        ('{"name": "cd", "arguments": "folder=5"}', "cd(folder=5)"),
        ('{"name": 5, "arguments": {}}', '{"name": 5, "arguments": {}}'),
        ('{"name": "cd", "arguments": [1]}', '{"name": "cd", "arguments": [1]}'),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_what_the_model_got_wrong_is_a_call_as_it_stands(block, text):
    assert texts(written(f"<tool_call>{block}</tool_call>")) == [text]


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ({"content": 5}, "content"),
        ({"tool_calls": {"name": "cd"}}, "tool_calls"),
        ({"tool_calls": ["cd"]}, "tool_calls[0]"),
        ({"tool_calls": [{"name": "cd", "arguments": {}}, {}]}, "tool_calls[1].name"),
        ({"tool_calls": [{"function": {"name": "cd", "arguments": 5}}]}, "function.arguments"),
    ],
)
def test_what_the_client_built_wrong_is_refused(message, named):
    with pytest.raises(InvalidAction) as refused:
        parse_message(message)
    assert named in str(refused.value)


@given(st.text(st.sampled_from('<>/tool_call{}[]":,\\ns 5name arguments')) | st.text())
def test_any_content_is_parsed(content):
    for call in written(f"<tool_call>{content}"):
        assert call.text


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z_]{1,9}", fullmatch=True),
            st.dictionaries(st.sampled_from(["a", "b"]), st.text()),
        ),
        max_size=5,
    )
)
def test_every_call_that_is_written_is_found(calls):
    blocks = [json.dumps({"name": name, "arguments": given}) for name, given in calls]
    # The tag itself cannot be part of a block, as in any text with such tags.
    blocks = [block.replace("</tool_call>", "") for block in blocks]
    content = "\n".join(f"<tool_call>\n{block}\n</tool_call>" for block in blocks)
    assert [text.partition("(")[0] for text in texts(written(content))] == [
        name for name, _ in calls
    ]
