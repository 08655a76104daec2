import pytest

from training_sandbox_appworld.actions import Execute, Reply, parse_message
from training_sandbox_worker.environment import InvalidAction


def content(text: str | None) -> dict[str, object]:
    return {"role": "assistant", "content": text}


def call(**fields: object) -> dict[str, object]:
    return {"role": "assistant", "content": None, "tool_calls": [fields]}


def test_the_first_python_block_of_the_content_is_executed() -> None:
    message = content("I look.\n```python\nprint(1)\n```\nThen:\n```python\nprint(2)\n```")
    assert parse_message(message, simple=False) == [Execute("print(1)")]


def test_a_block_that_is_not_closed_is_executed() -> None:
    assert parse_message(content("```python\nprint(1)"), simple=False) == [Execute("print(1)")]


def test_a_block_with_windows_line_ends_is_executed() -> None:
    message = content("```python\r\nprint(1)\r\n```")
    assert parse_message(message, simple=False) == [Execute("print(1)")]


@pytest.mark.parametrize("text", ["", None, "print(1)", "```\nprint(1)\n```", "```python\n```"])
def test_content_without_code_is_answered_with_what_is_expected(text: str | None) -> None:
    (reply,) = parse_message(content(text), simple=False)
    assert isinstance(reply, Reply)
    assert "```python" in reply.text


def test_simple_content_without_a_block_is_code() -> None:
    assert parse_message(content("print(1)"), simple=True) == [Execute("print(1)")]


def test_simple_content_with_a_block_is_the_code_in_the_block() -> None:
    message = content("Look:\n```python\nprint(1)\n```")
    assert parse_message(message, simple=True) == [Execute("print(1)")]


def test_simple_content_that_is_empty_is_answered_with_what_is_expected() -> None:
    (reply,) = parse_message(content("  \n"), simple=True)
    assert isinstance(reply, Reply)


@pytest.mark.parametrize("arguments", ['{"code": "print(1)"}', {"code": "print(1)"}])
def test_a_flat_tool_call_is_executed(arguments: object) -> None:
    message = call(name="appworld", arguments=arguments)
    assert parse_message(message, simple=False) == [Execute("print(1)")]


@pytest.mark.parametrize("arguments", ['{"code": "print(1)"}', {"code": "print(1)"}])
def test_a_tool_call_in_the_form_of_openai_is_executed(arguments: object) -> None:
    message = call(
        id="call_1", type="function", function={"name": "appworld", "arguments": arguments}
    )
    assert parse_message(message, simple=False) == [Execute("print(1)")]


def test_tool_calls_go_before_the_content() -> None:
    message = call(name="appworld", arguments={"code": "print(1)"})
    message["content"] = "```python\nprint(2)\n```"
    assert parse_message(message, simple=False) == [Execute("print(1)")]


def test_an_empty_list_of_tool_calls_leaves_the_content() -> None:
    message = {**content("```python\nprint(1)\n```"), "tool_calls": []}
    assert parse_message(message, simple=False) == [Execute("print(1)")]


def test_several_tool_calls_are_executed_in_their_order() -> None:
    message = content(None)
    message["tool_calls"] = [
        {"name": "appworld", "arguments": {"code": code}} for code in ("first", "second")
    ]
    assert parse_message(message, simple=False) == [Execute("first"), Execute("second")]


def test_a_call_of_another_tool_is_answered_with_the_tools_name() -> None:
    (reply,) = parse_message(call(name="browser", arguments={}), simple=False)
    assert isinstance(reply, Reply)
    assert "browser" in reply.text
    assert "appworld" in reply.text


@pytest.mark.parametrize(
    "arguments", ["{code: 1}", "[]", "1", "{}", '{"code": 1}', {"code": None}, "[" * 100_000]
)
def test_arguments_that_the_model_got_wrong_are_answered(arguments: object) -> None:
    (reply,) = parse_message(call(name="appworld", arguments=arguments), simple=False)
    assert isinstance(reply, Reply)


@pytest.mark.parametrize(
    ("tool_calls", "field"),
    [
        ("appworld", "tool_calls"),
        ({"name": "appworld"}, "tool_calls"),
        (["appworld"], "tool_calls[0]"),
        ([{"arguments": {}}], "tool_calls[0].name"),
        ([{"name": 1, "arguments": {}}], "tool_calls[0].name"),
        ([{"name": "appworld"}], "tool_calls[0].arguments"),
        ([{"name": "appworld", "arguments": 1}], "tool_calls[0].arguments"),
        ([{"function": {"name": "appworld"}}], "tool_calls[0].function.arguments"),
    ],
)
def test_tool_calls_of_a_wrong_form_are_refused_by_the_fields_name(
    tool_calls: object, field: str
) -> None:
    message = {**content(None), "tool_calls": tool_calls}
    with pytest.raises(InvalidAction) as refused:
        parse_message(message, simple=False)
    assert str(refused.value).startswith(f"{field} ")


def test_content_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidAction, match="content"):
        parse_message({"role": "assistant", "content": [1]}, simple=False)
