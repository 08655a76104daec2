"""A question is answered by the first message, which ends the episode, and executes nothing."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training_sandbox_bfcl.saved_state import MAX_BYTES, StateTampered
from training_sandbox_bfcl.single_turn.answer import decode, encode
from training_sandbox_bfcl.single_turn.tasks import CATEGORIES
from training_sandbox_worker.environment import InvalidAction, Task

COMPLETED = "[CONVERSATION_COMPLETED]"
FACTORIAL = Task("simple_python_1", {})
RIGHT = {"name": "math.factorial", "arguments": {"number": 5}}
TEXT = {"role": "assistant", "content": "It is 120."}


def written(*blocks):
    content = "\n".join(f"<tool_call>\n{block}\n</tool_call>" for block in blocks)
    return {"role": "assistant", "content": content}


def in_tool_calls(*functions):
    return {"role": "assistant", "content": None, "tool_calls": list(functions)}


@pytest.fixture
def played(environment):
    """The reward of an answer."""

    def played(message, task=FACTORIAL):
        episode = environment.open(task)
        episode.step(message)
        return environment.evaluate(task, episode.save(), sparse=False)

    return played


def test_a_task_begins_with_its_tools_by_their_names_in_the_data_and_the_question(open_episode):
    system, user = open_episode("simple_python_1").initial_messages()
    assert user == {
        "role": "user",
        "content": "Calculate the factorial of 5 using math functions.",
    }
    (tool,) = [line for line in system["content"].splitlines() if line.startswith('{"type"')]
    function = json.loads(tool)["function"]
    assert function["name"] == "math.factorial"
    assert function["parameters"]["type"] == "object"
    assert "If none of the functions can be used, point it out." in system["content"]


def test_every_question_is_told_with_all_of_its_functions(open_episode, single_turn_tasks):
    known = {"array", "boolean", "integer", "number", "object", "string"}
    for task in single_turn_tasks.values():
        system, *others = open_episode(task.id).initial_messages()
        question = [message for message in task.messages if message["role"] != "system"]
        assert others == question
        assert others[-1]["role"] == "user"
        lines = system["content"].partition("<tools>\n")[2].partition("</tools>")[0].splitlines()
        tools = [json.loads(line)["function"] for line in lines]
        assert [tool["name"] for tool in tools] == [each["name"] for each in task.functions]
        for tool in tools:
            properties = tool["parameters"]["properties"].values()
            assert {schema["type"] for schema in properties} <= known


def test_what_a_system_says_in_a_question_comes_after_the_tools(open_episode, single_turn_tasks):
    with_system = [
        task for task in single_turn_tasks.values() if task.messages[0]["role"] == "system"
    ]
    assert len(with_system) == 92
    for task in with_system:
        system, *_ = open_episode(task.id).initial_messages()
        assert system["content"].endswith(f"\n\n{task.messages[0]['content']}")


@pytest.mark.parametrize("message", [TEXT, written(json.dumps(RIGHT)), in_tool_calls(RIGHT)])
def test_the_first_message_ends_the_task(open_episode, message):
    episode = open_episode("simple_python_1")
    observation = episode.step(message)
    assert observation.terminated
    assert [(one["role"], one["content"]) for one in observation.messages] == [("user", COMPLETED)]


def test_after_the_end_the_answer_stays(environment, open_episode):
    episode = open_episode(FACTORIAL.id)
    episode.step(TEXT)
    again = episode.step(in_tool_calls(RIGHT))
    assert again.terminated
    assert environment.evaluate(FACTORIAL, episode.save(), sparse=False) == 0.0


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_question_that_is_not_answered_scores_nothing(environment, category):
    task = Task(environment.splits()[category][0], {})
    for sparse in (True, False):
        assert environment.evaluate(task, environment.open(task).save(), sparse=sparse) == 0.0


def test_the_detailed_score_is_the_sparse_one(environment, open_episode):
    for message, score in ((TEXT, 0.0), (in_tool_calls(RIGHT), 1.0)):
        episode = open_episode(FACTORIAL.id)
        episode.step(message)
        for sparse in (True, False):
            assert environment.evaluate(FACTORIAL, episode.save(), sparse=sparse) == score


def test_a_message_that_the_client_built_wrong_is_refused_and_no_answer(environment, open_episode):
    episode = open_episode(FACTORIAL.id)
    with pytest.raises(InvalidAction, match="tool_calls"):
        episode.step(in_tool_calls("math.factorial"))
    episode.step(in_tool_calls(RIGHT))
    assert environment.evaluate(FACTORIAL, episode.save(), sparse=False) == 1.0


@pytest.mark.parametrize(
    ("message", "score"),
    [
        (written(json.dumps({**RIGHT, "arguments": '{"number": 5}'})), 1.0),
        (in_tool_calls({"function": {**RIGHT, "arguments": '{"number": 5}'}}), 1.0),
        ({"role": "assistant", "content": f"So: <tool_call>{json.dumps(RIGHT)}"}, 1.0),
        (written(json.dumps(RIGHT), "5"), 0.0),
        (written("math.factorial(number=5)"), 0.0),
        (written(json.dumps(RIGHT), json.dumps(RIGHT)), 0.0),
        (written(json.dumps({**RIGHT, "arguments": "number=5"})), 0.0),
        (written(json.dumps({**RIGHT, "arguments": [5]})), 0.0),
        (in_tool_calls({**RIGHT, "arguments": ""}), 0.0),
    ],
)
def test_an_answer_is_its_calls_and_none_of_them_if_one_is_no_call(played, message, score):
    assert played(message) == score


def test_what_cannot_be_decoded_is_no_call(played):
    for content in ("<tool_call>calculate(</tool_call>", "calculate()", ""):
        message = {"role": "assistant", "content": content}
        assert played(message, Task("irrelevance_0", {})) == 1.0
        assert played(message, Task("live_relevance_0-0-0", {})) == 0.0


@pytest.mark.parametrize("depth", [10, 64, 200, 900, 950, 980, 5_000, 100_000])
def test_arguments_of_any_depth_are_an_answer(played, depth):
    nested = f'{{"number": {"[" * depth}{"]" * depth}}}'
    for message in (
        written(f'{{"name": "math.factorial", "arguments": {nested}}}'),
        in_tool_calls({"name": "math.factorial", "arguments": nested}),
    ):
        assert played(message) == 0.0


@pytest.mark.parametrize("place", ["name", "argument's name", "value", "arguments", "block"])
@pytest.mark.parametrize("task_id", ["simple_python_1", "live_relevance_0-0-0", "parallel_0"])
def test_code_in_any_part_of_an_answer_is_not_executed(played, tmp_path, place, task_id):
    canary = tmp_path / "executed"
    code = f"open({str(canary)!r}, 'w')"
    for block in {
        "name": [{"name": code, "arguments": {}}],
        "argument's name": [{"name": "math.factorial", "arguments": {f"number={code},a": 5}}],
        "value": [
            {"name": "math.factorial", "arguments": {"number": value}}
            for value in (code, [code], {code: code}, f"5+{code}", f"{{{code}}}")
        ],
        "arguments": [{"name": "math.factorial", "arguments": f"number={code}"}],
        "block": [f"math.factorial(number={code})", code, f"[{code}]"],
    }[place]:
        message = written(block if isinstance(block, str) else json.dumps(block))
        score = played(message, Task(task_id, {}))
        assert score == 0.0 or task_id == "live_relevance_0-0-0"
        assert not canary.exists()


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["answers", "a"]), inner),
)


@pytest.mark.parametrize("answers", [[], [None], [[]], [[{"a": {"b": [1, 2.5, None, "c"]}}]]])
def test_a_saved_answer_is_read_again(answers):
    assert decode(encode(answers)) == answers


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"[" * 100_000,
        b"null",
        b'{"turns": [[]]}',
        b'{"answers": 5}',
        b'{"answers": [null, null]}',
        b'{"answers": [5]}',
        b'{"answers": [[5]]}',
        b'{"answers": [[{}]]}',
        b'{"answers": [[{"a": {}, "b": {}}]]}',
        b'{"answers": [[{"a": 5}]]}',
        b'{"answers": [null], "reward": 1}',
        b'{"answers": [[{"' + b"a" * MAX_BYTES + b'": {}}]]}',
    ],
)
def test_another_state_is_tampered_with(environment, state):
    with pytest.raises(StateTampered):
        environment.evaluate(FACTORIAL, state, sparse=False)


@settings(max_examples=50)
@given(ANY_JSON | ANY_JSON.map(lambda value: {"answers": [[{"math.factorial": value}]]}))
def test_any_json_is_scored_or_refused(environment, content):
    try:
        reward = environment.evaluate(FACTORIAL, json.dumps(content).encode(), sparse=False)
    except StateTampered:
        return
    assert reward == 0.0
