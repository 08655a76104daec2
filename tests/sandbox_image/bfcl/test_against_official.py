"""Verdicts and texts are those of the package, which evaluates what a model writes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from official import accepts, execute
from perturbation import WAYS, spoiled

from training_sandbox_bfcl.actions import parse_message
from training_sandbox_bfcl.data import CATEGORIES
from training_sandbox_bfcl.evaluation import score
from training_sandbox_bfcl.saved_state import encode
from training_sandbox_bfcl.tools import Tools
from training_sandbox_worker.environment import Task

FILES = "multi_turn_base_0"


def sparse(environment, task_id, turns):
    return environment.evaluate(Task(task_id, {}), encode(turns), sparse=True)


@pytest.mark.parametrize("way", WAYS)
def test_spoiled_ground_truths_get_the_verdict_of_the_official_checker(
    environment, tasks, truth, way
):
    verdicts = {}
    for task_id, task in tasks.items():
        wanted = truth(task_id)
        turns = spoiled(task_id, wanted, way)
        verdicts[task_id] = (
            sparse(environment, task_id, turns) == 1.0,
            accepts(task, wanted, turns),
        )
    assert [task for task, (ours, official) in verdicts.items() if ours != official] == []
    assert len(verdicts) == 800
    assert not all(official for _, official in verdicts.values())


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_ground_truth_scores_one(environment, truth, category):
    task_id = f"{category}_0"
    assert sparse(environment, task_id, truth(task_id)) == 1.0


def test_the_detailed_score_is_the_share_of_the_turns_that_check_out(tasks, truth):
    task, wanted = tasks[FILES], truth(FILES)
    half = [*wanted[:2], *([] for _ in wanted[2:])]
    result = score(task, wanted, half)
    assert (result.right, result.counted) == (2, 4)


def test_a_turn_that_asks_for_nothing_does_not_count_once_it_was_reached(tasks, truth):
    task_id = "multi_turn_miss_param_0"
    task, wanted = tasks[task_id], truth(task_id)
    asking = [index for index, calls in enumerate(wanted) if calls]
    silent = [[] for _ in wanted]
    assert len(asking) == len(wanted) - 1
    assert score(task, wanted, silent).counted == len(asking)
    assert score(task, wanted, silent[:1]).counted == len(wanted)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@pytest.mark.parametrize(
    "text",
    [
        # No calls at all.
        "",
        "no call",
        "cd(",
        "cd(folder='document'",
        "cd[folder]",
        "cd(folder=='document')",
        "cd(folder=document)",
        "cd(folder='a', folder='b')",
        "cd(folder='a', 'b')",
        '{"name": "cd", "arguments": {',
        '{"name": "cd"}',
        "[1, (2, {'three': None}), {4}, -5.5, b'6', 'seven']",
        "-'eight'",
        "5(a=1)",
        "'text'(1)",
        "None",
        "cd(folder='\0')",
        "\tcd(folder='document')",
        "class(a=1)",
        "cd(class=1)",
        "cd(a b=1)",
        f"{'(' * 300}1{')' * 300}",
        "\ud800()",
        # Functions that there are not.
        "no_such_function(a=1)",
        "no_such_function(a=other())",
        "GorillaFileSystem.cd(folder='document')",
        "functions.cd.now(folder='document')",
        "change-directory(folder='document')",
        f"{'long' * 100}()",
        "_load_scenario({})",
        "kill(1)",
        "os.remove('a')",
        "remove",
        "a.b.run()",
        # Wrong arguments.
        "cd()",
        "cd('a', 'b')",
        "cd(dir='document')",
        "cd(folder=5)",
        "cd(folder=None)",
        "tail(file_name='a', lines='b')",
        "mkdir(dir_name=['temp'])",
        "cd(folder=nan)",
        "cd(folder=true)",
        # What has results of different kinds.
        "cd(folder='document')",
        "cd(folder='nowhere')",
        "mkdir(dir_name='temp')",
        "pwd()",
        "ls(a=True)",
        "cat('final_report.pdf')",
        "echo(content=pwd())",
        "echo(content={'a': (1, 2)})",
        "echo(content={1, 2})",
        "get_user_stats(username='analyst_pro')",
    ],
)
def test_a_text_is_answered_as_by_the_official_executor(tasks, text):
    task = tasks[FILES]
    assert [Tools(task).execute(text)] == execute(task, [text])


@pytest.mark.parametrize(
    "text",
    [
        "logarithm(value=100, base=10, precision=5)",
        "square_root(number=2, precision=40)",
        "square_root(number='two', precision=40)",
        "divide(a=1, b=0)",
        "power(base=2, exponent='a')",
        "mean(numbers=[1, 2, 'a'])",
    ],
)
def test_results_that_are_not_json_are_told_as_by_the_official_executor(tasks, text):
    task = next(task for task in tasks.values() if "MathAPI" in task.classes)
    assert [Tools(task).execute(text)] == execute(task, [text])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["cd", "echo", "mkdir", "post_tweet", "no.such", "no-such"]
) | st.from_regex(r"z[a-z_]{0,9}", fullmatch=True)


@settings(max_examples=50)
@given(
    name=NAMES,
    arguments=st.dictionaries(
        st.sampled_from(["folder", "content", "dir_name", "a b", "class", "5"]), VALUES
    ),
)
def test_any_json_call_is_answered_as_by_the_official_executor(tasks, name, arguments):
    task = tasks[FILES]
    function = {"name": name, "arguments": arguments}
    (call,) = parse_message({"role": "assistant", "tool_calls": [{"function": function}]})
    assert [Tools(task).execute(call.text)] == execute(task, [call.text])
