"""A call can reach the public methods of its task's tools, and nothing else."""

import pytest

from training_sandbox_bfcl.actions import parse_message
from training_sandbox_bfcl.tools import Tools

TASK = "multi_turn_base_0"


@pytest.fixture
def tools(tasks) -> Tools:
    return Tools(tasks[TASK])


@pytest.fixture
def canary(tmp_path):
    """A file that code makes when it is executed."""
    return tmp_path / "executed"


def hostile_code(canary) -> str:
    return f"open({str(canary)!r}, 'w')"


@pytest.mark.parametrize(
    "text",
    [
        "{code}",
        "cd(folder={code})",
        "cd(**{{'folder': {code}}})",
        "cd(*[{code}])",
        "echo(content=[{code}])",
        "echo(content={{'a': {code}}})",
        "echo(content=f'{{{code}}}')",
        "echo(content=[{code} for _ in 'a'])",
        "echo(content=(lambda: {code})())",
        "echo(content=1 if {code} else 2)",
        "echo(content=(x := {code}))",
        "echo(content=not {code})",
        "echo(content=1 + {code})",
        "echo(content=(1).__class__.__base__.__subclasses__())",
        "'a'.__class__.__init__.__globals__['x']({code})",
        "cd.__self__.__class__.__init__.__globals__['deepcopy']({code})",
        "__import__('builtins').{code}",
        "eval({code!r})",
        "exec({code!r})",
    ],
)
def test_an_expression_executes_nothing_but_calls_of_methods(tools, canary, text):
    answer = tools.execute(text.format(code=hostile_code(canary)))
    assert answer.startswith("Error during execution: ")
    assert not canary.exists()


@pytest.mark.parametrize("place", ["name", "argument's name", "value", "arguments"])
def test_code_in_any_part_of_a_json_call_is_not_executed(tools, canary, place):
    code = hostile_code(canary)
    function = {
        "name": {"name": code, "arguments": {}},
        "argument's name": {"name": "cd", "arguments": {f"folder={code},a": 1}},
        "value": {"name": "echo", "arguments": {"content": code}},
        "arguments": {"name": "echo", "arguments": f"content={code}"},
    }[place]
    (call,) = parse_message({"tool_calls": [function]})
    tools.execute(call.text)
    assert not canary.exists()


@pytest.mark.parametrize(
    "name",
    [
        "__init__",
        "__class__",
        "__eq__",
        "_load_scenario",
        "_navigate_to_directory",
        "root",
        "long_context",
        "cd.__call__",
        "GorillaFileSystem",
        "find_nearest_airport_by_city",
        "print",
        "len",
        "getattr",
        "globals",
    ],
)
def test_only_public_methods_of_the_tasks_classes_are_functions(tools, name):
    assert tools.execute(f"{name}()").endswith(f"name '{name.partition('.')[0]}' is not defined")


@pytest.mark.parametrize(
    "text", ["-" * 100_000 + "1", "[" * 100_000, "9**9**9**9", "a." * 100_000 + "b()", "1" * 5_000]
)
def test_text_that_is_hard_to_parse_is_answered(tools, text):
    assert tools.execute(text).startswith("Error during execution: ")


def test_an_episode_cannot_change_what_another_starts_from(tasks):
    first = Tools(tasks[TASK])
    first.execute("mkdir('made')")
    first.execute("post_tweet(content='posted')")
    assert "made" in first.execute("ls()")
    assert "made" not in Tools(tasks[TASK]).execute("ls()")
