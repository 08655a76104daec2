"""Single-turn answers get the verdict of the package's own checker and rule of relevance."""

import itertools
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from official import accepts_answer
from spoiled_answers import WAYS, spoiled

from training_sandbox_bfcl.data import read_ground_truth
from training_sandbox_bfcl.single_turn.examples import right_calls
from training_sandbox_bfcl.single_turn.tasks import (
    CATEGORIES,
    UNANSWERABLE,
    WITH_ANSWERS,
)
from training_sandbox_worker.environment import Message, Task

WAYS_A_TASK = 2


def names(task) -> list[str]:
    return [function["name"] for function in task.functions]


def as_tool_calls(calls) -> Message:
    if isinstance(calls, str):
        return {"role": "assistant", "content": calls}
    functions = [{"name": name, "arguments": arguments} for name, arguments in calls]
    tool_calls = [{"type": "function", "function": function} for function in functions]
    return {"role": "assistant", "content": "", "tool_calls": tool_calls}


def as_blocks(calls) -> Message:
    if isinstance(calls, str):
        return as_tool_calls(calls)
    blocks = [f'{{"name": {json.dumps(name)}, "arguments": {given}}}' for name, given in calls]
    content = "\n".join(f"<tool_call>\n{block}\n</tool_call>" for block in blocks)
    return {"role": "assistant", "content": content}


@pytest.fixture(scope="module")
def reward(environment) -> Callable[[str, Message], float]:
    def reward(task_id: str, message: Message) -> float:
        task = Task(task_id, {})
        episode = environment.open(task)
        assert episode.step(message).terminated
        return environment.evaluate(task, episode.save(), sparse=False)

    return reward


@pytest.fixture(scope="module")
def right(data_folder, single_turn_tasks):
    """The right calls of a task, with their arguments as text; of one without, some call."""

    def right(task_id):
        task = single_turn_tasks[task_id]
        calls = right_calls(data_folder, task) or [(name, {}) for name in [*names(task), "any"][:1]]
        return [(name, json.dumps(arguments)) for name, arguments in calls]

    return right


@pytest.fixture(scope="module")
def expected(data_folder):
    """The ground truth of a task, if it has one."""

    def expected(task):
        has_one = task.category in WITH_ANSWERS
        return read_ground_truth(data_folder, task.id) if has_one else None

    return expected


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_ground_truth_scores_one_and_a_part_of_it_nothing(
    environment, played, reward, category
):
    answerable = [task for task in environment.splits()[category] if task not in UNANSWERABLE]
    rewards = {
        task_id: (reward(task_id, *played[task_id].right), reward(task_id, *played[task_id].wrong))
        for task_id in answerable
    }
    assert {task_id for task_id, pair in rewards.items() if pair != (1.0, 0.0)} == set()


def test_tasks_without_an_example_are_those_that_no_answer_is_right_for(
    environment, single_turn_tasks, played, expected
):
    def has_no_answer(task):
        functions = {function["name"]: function["parameters"] for function in task.functions}
        for call in expected(task):
            for name, allowed in call.items():
                must = {key for key, values in allowed.items() if "" not in values}
                required = set(functions[name]["required"])
                if must - functions[name]["properties"].keys() or required - allowed.keys():
                    return True
                if any(not allowed[key] for key in required):
                    return True
        return False

    with_answers = [task for task in single_turn_tasks.values() if task.category in WITH_ANSWERS]
    assert {task.id for task in with_answers if has_no_answer(task)} == UNANSWERABLE
    assert set(environment.splits()["single_turn"]) - set(played) == UNANSWERABLE


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_spoiled_answer_gets_the_verdict_of_the_official_checker(
    single_turn_tasks, right, expected, reward, category
):
    ways = itertools.cycle(itertools.product((as_tool_calls, as_blocks), WAYS))
    different, verdicts = [], []
    for task in single_turn_tasks.values():
        if task.category == category:
            truth = expected(task)
            for form, way in itertools.islice(ways, WAYS_A_TASK):
                answer = spoiled(task.id, right(task.id), names(task), way)
                ours, official = reward(task.id, form(answer)), accepts_answer(task, truth, answer)
                verdicts.append(official)
                if ours != official:
                    different.append((task.id, way, answer, official))
    assert different == []
    assert {*verdicts} == {True, False}


def test_names_may_have_underscores_for_dots_as_for_models_that_are_not_offered_dots(
    single_turn_tasks, right, expected, reward
):
    ways = itertools.cycle(("reorder", "rename", "alter"))
    verdicts = []
    for task in single_turn_tasks.values():
        if task.category in WITH_ANSWERS and any("." in name for name in names(task)):
            calls = spoiled(task.id, right(task.id), names(task), next(ways))
            answer = [(name.replace(".", "_"), arguments) for name, arguments in calls]
            official = accepts_answer(task, expected(task), answer, model="underscored")
            assert reward(task.id, as_tool_calls(answer)) == official
            verdicts.append(official)
    assert len(verdicts) > 500
    assert {*verdicts} == {True, False}


def test_names_are_not_the_same_once_they_have_underscores(single_turn_tasks):
    for task in single_turn_tasks.values():
        assert len({name.replace(".", "_") for name in names(task)}) == len({*names(task)})


def test_a_name_is_not_guessed(reward):
    right = {"number": 5}
    for name, score in [
        ("math.factorial", 1.0),
        ("math_factorial", 1.0),
        ("factorial", 0.0),
        ("math-factorial", 0.0),
        ("math..factorial", 0.0),
        ("Math.factorial", 0.0),
    ]:
        assert reward("simple_python_1", as_blocks([(name, json.dumps(right))])) == score


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=100)
@given(data=st.data())
def test_any_arguments_get_the_verdict_of_the_official_checker(
    single_turn_tasks, right, expected, reward, data
):
    category = data.draw(st.sampled_from(WITH_ANSWERS))
    tasks = [task for task in single_turn_tasks.values() if task.category == category]
    task = data.draw(st.sampled_from(tasks))
    answer = []
    for name, arguments in right(task.id):
        given = json.loads(arguments)
        parameter = data.draw(st.sampled_from([*given, "other"]))
        answer.append((name, json.dumps({**given, parameter: data.draw(VALUES)})))
    assert reward(task.id, as_tool_calls(answer)) == accepts_answer(task, expected(task), answer)


def test_an_integer_that_no_float_is_as_large_as_is_wrong(single_turn_tasks, right, reward):
    """The package's checker raises an error."""
    task = single_turn_tasks["parallel_multiple_12"]
    answer = right(task.id)
    name, arguments = answer[0]
    assert task.functions[1]["parameters"]["properties"]["current"]["type"] == "float"
    answer[0] = (name, json.dumps({**json.loads(arguments), "current": 10**400}))
    assert reward(task.id, as_tool_calls(answer)) == 0.0
