"""From a message to an action."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training_sandbox_webshop.actions import Action, parse_message
from training_sandbox_worker.environment import InvalidAction


def say(content: object, **fields: object) -> dict[str, object]:
    return {"role": "assistant", "content": content, **fields}


@pytest.mark.parametrize(
    ("content", "action"),
    [
        ("search[red shoes]", Action("search", "red shoes")),
        ("click[Buy Now]", Action("click", "Buy Now")),
        ("click[< Prev]", Action("click", "< Prev")),
        ("Thought: search[hat] is done.\nAction: click[B01]", Action("click", "B01")),
        ("<action>search[a\u00e9 b]</action>", Action("search", "a\u00e9 b")),
        ("click[size [us]]", Action("click", "size [us]")),
        ("search[]", Action("search", "")),
        ("think[what now]", Action("think", "what now")),
        ("search[hat] think[what now]", Action("search", "hat")),
    ],
)
def test_actions_are_written_as_text(content: str, action: Action) -> None:
    assert parse_message(say(content)) == action


NAMES = {"search": "keywords", "click": "element"}
names = st.sampled_from(sorted(NAMES))


@given(names, st.text(st.characters(exclude_characters="[]\n")))
def test_whatever_is_in_brackets_is_the_argument(name: str, argument: str) -> None:
    assert parse_message(say(f"I think.\n{name}[{argument}]")) == Action(name, argument)


@given(names, st.text())
def test_every_way_to_call_a_tool_is_the_same_action(name: str, argument: str) -> None:
    arguments = {NAMES[name]: argument}
    for call in (
        {"name": name, "arguments": arguments},
        {"name": name, "arguments": json.dumps(arguments)},
        {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}},
    ):
        assert parse_message(say(None, tool_calls=[call])) == Action(name, argument)
    block = json.dumps({"name": name, "arguments": arguments})
    assert parse_message(say(f"Well.<tool_call>\n{block}\n</tool_call>")) == Action(name, argument)


def parsed(message: dict[str, object]) -> Action | None:
    """The action; None of a message that is refused, which names the field."""
    try:
        return parse_message(message)
    except InvalidAction as error:
        if not str(error).startswith(("content", "tool_calls")):
            raise
        return None


@given(st.text())
def test_any_text_is_an_action_or_refused(content: str) -> None:
    assert parsed(say(content)) is None or isinstance(parsed(say(content)), Action)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "arguments", "function", "keywords", "element"]), inner
        )
    ),
    max_leaves=8,
)


@given(JSON, JSON)
def test_any_message_is_an_action_or_refused(content: object, calls: object) -> None:
    action = parsed(say(content, tool_calls=calls))
    if action is not None:
        assert isinstance(action.name, str)
        assert isinstance(action.argument, str)


@pytest.mark.parametrize(
    "call",
    [
        {"name": "buy", "arguments": {"element": "B01"}},
        {"name": "click", "arguments": {"keywords": "B01"}},
        {"name": "click", "arguments": {"element": 1}},
        {"name": "click", "arguments": "{"},
        {"name": "click", "arguments": "[" * 100_000},
    ],
)
def test_a_models_mistake_in_a_call_is_an_action_that_does_nothing(call: object) -> None:
    assert parse_message(say("", tool_calls=[call])).name == ""
    assert parse_message(say(f"<tool_call>{json.dumps(call)}</tool_call>")).name == ""


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (say(""), "content"),
        (say("I would like to buy it."), "content"),
        (say(5), "content"),
        (say("", tool_calls=5), "tool_calls"),
        (say("", tool_calls=[{}, {}]), "tool_calls"),
        (say("", tool_calls=["search"]), "tool_calls[0]"),
        (say("", tool_calls=[{"name": 5, "arguments": {}}]), "tool_calls[0].name"),
        (say("", tool_calls=[{"name": "click"}]), "tool_calls[0].arguments"),
        (say("", tool_calls=[{"function": {"name": "click"}}]), "tool_calls[0].function.arguments"),
    ],
)
def test_a_message_without_an_action_is_refused_by_field(message, named: str) -> None:
    with pytest.raises(InvalidAction, match=f"^{named.replace('[', chr(92) + '[')}"):
        parse_message(message)
