"""Every check finds what breaks its promise, and lets a good environment pass."""

from dataclasses import replace

import pytest

from training_sandbox_conformance.checks import CHECKS
from training_sandbox_conformance.costs import Costs
from training_sandbox_conformance.kit import run_check
from training_sandbox_conformance.outcomes import KitError, Verdict

BROKEN_TASKS = [
    ("rewards-anything", "solutions", "the wrong messages: the reward is 1, not below 1"),
    ("rewards-nothing", "solutions", "the right messages: the reward is 0, not 1"),
    ("never-ends", "solutions", "the last step does not end the task"),
    ("is-never-sparse", "solutions", "the sparse reward is 0.5, not 0"),
    ("tells-the-time", "deterministic", "played once more: step 1 answered"),
    ("is-not-seeded", "deterministic", "played once more: the first messages are"),
    ("tells-a-set", "deterministic", "on a server started anew: step 1 answered"),
    ("shares-its-last-guess", "isolated", "while others were played: step 2 answered"),
    ("counts-in-shared-memory", "fork-safe", "beside a wrong one: step 3 answered"),
    ("starts-a-thread", "fork-safe", "/fork answered 501 fork_unsupported"),
    ("is-scored-by-the-clock", "evaluation", "evaluated twice"),
    ("counts-evaluations-as-guesses", "evaluation", "before every step: step 3 answered"),
    ("is-never-sparse", "evaluation", "the sparse reward is 0.5, not 0 or 1"),
    ("fails-on-tool-calls", "bad-input", "the name of messages or content or tool_calls, not 500"),
    ("counts-bad-input", "bad-input", "was refused: step 3 answered"),
    (
        "refuses-without-a-name",
        "bad-input",
        "the name of messages or content or tool_calls, not 400",
    ),
    ("starts-a-process", "released", "0 slots in use, 1 processes too many"),
]
BROKEN_SPLITS = [
    ({"train": ["right", "never-ends", "right"]}, "the split train has 'right' 2 times"),
    ({"train": ["right"], "test": []}, "the split test has no tasks"),
    ({"train": [""]}, "the split train has a task id that is empty"),
    ({"dev": ["right"]}, "there is no split train, only dev"),
    ({"train": ["right"]}, "the split train is another one when it is served"),
]


def outcome_of(name, subject):
    (check,) = (check for check in CHECKS if check.name == name)
    outcome = run_check(check, subject)
    assert outcome.verdict is not Verdict.FAILED or outcome.remedy == check.remedy
    return outcome


@pytest.fixture
def subject_of(broken):
    """The broken game, of which one task is played."""
    by_task = {example.task_id: example for example in broken.examples}
    return lambda task_id: replace(broken, examples=[by_task[task_id]])


@pytest.mark.parametrize(("task_id", "name", "text"), BROKEN_TASKS)
def test_a_task_that_breaks_a_promise_is_found(subject_of, task_id, name, text):
    outcome = outcome_of(name, subject_of(task_id))
    assert outcome.verdict is Verdict.FAILED
    assert text in outcome.text


@pytest.mark.parametrize("name", ["solutions", "deterministic", "isolated", "evaluation"])
def test_a_task_that_keeps_its_promises_passes_beside_them(subject_of, name):
    assert outcome_of(name, subject_of("right")).verdict is Verdict.PASSED


@pytest.mark.parametrize(("splits", "text"), BROKEN_SPLITS)
def test_splits_that_cannot_be_trained_on_are_found(broken, splits, text):
    description = replace(broken.description, splits=splits)
    assert text in outcome_of("tasks", replace(broken, description=description)).text


def test_an_example_of_no_task_is_found(broken):
    strange = replace(broken.examples[0], task_id="strange")
    outcome = outcome_of("tasks", replace(broken, all_examples=[strange]))
    assert "the example 'strange' is a task of no split" in outcome.text


def test_a_missing_description_of_the_tools_is_found(broken):
    assert "the description of the tools is empty" in outcome_of("tasks", broken).text


def test_a_ground_truth_that_episodes_may_read_is_found(broken):
    assert "episodes may read the ground truth" in outcome_of("confined", broken).text


def test_a_check_that_fails_leaves_nothing_to_the_next_one(subject_of):
    assert outcome_of("isolated", subject_of("shares-its-last-guess")).verdict is Verdict.FAILED
    assert subject_of("right").served.status()["slots"]["used"] == 0


def test_threads_that_preload_leaves_are_found_and_nothing_else_is_checked(check):
    starts, *others = check("broken_games:LeavesAThread")
    assert (starts.check, starts.verdict) == ("starts", Verdict.FAILED)
    assert "preload left 2 threads" in starts.text
    assert {outcome.verdict for outcome in others} == {Verdict.SKIPPED}


def test_a_server_that_does_not_start_is_told_beside_the_checks_that_are_wanted_only(check):
    found = check("broken_games:LeavesAThread", ["tasks"])
    assert [(outcome.check, outcome.verdict) for outcome in found] == [
        ("starts", Verdict.FAILED),
        ("tasks", Verdict.SKIPPED),
    ]


def test_a_second_server_that_does_not_start_fails_the_check_that_wants_it_and_no_other(check):
    starts, deterministic, isolated = check(
        "broken_games:StartsOnce", ["starts", "deterministic", "isolated"]
    )
    assert (starts.verdict, isolated.verdict) == (Verdict.PASSED, Verdict.PASSED)
    assert (deterministic.check, deterministic.verdict) == ("deterministic", Verdict.FAILED)
    assert "started before" in deterministic.text


def test_a_good_environment_passes_every_check_and_its_costs_are_told(check):
    *outcomes, costs = check("number_game:NumberGame")
    assert [outcome.check for outcome in outcomes] == [check.name for check in CHECKS]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.PASSED}
    assert isinstance(costs, Costs)
    assert {call: len(times) for call, times in costs.times.items()} == {
        "create": 1,
        "step": 4,
        "evaluate": 1,
    }


def test_an_environment_that_is_not_installed_is_not_one_that_breaks_a_promise(check):
    with pytest.raises(KitError, match=r"(?s)no environment 'nonesuch'.*installed.*To do: name"):
        check("nonesuch")


def test_a_function_of_examples_that_is_none_is_told_without_a_traceback(check):
    with pytest.raises(KitError, match="--examples nonesuch:none: No module") as failed:
        check("number_game:NumberGame", ["tasks"], "nonesuch:none")
    assert "Traceback" not in str(failed.value)


def test_an_environment_without_examples_cannot_be_checked(check):
    with pytest.raises(KitError, match="gives no examples"):
        check("number_game:NumberGame", ["tasks"], "broken_games:no_examples")
