"""The tasks, their splits, and where their answers may lie."""

import json
import sys
from pathlib import Path

import pytest

from training_sandbox_bfcl import data, library
from training_sandbox_bfcl.environment import BfclEnvironment
from training_sandbox_bfcl.single_turn import tasks as single_turn
from training_sandbox_worker.environment import Task


def test_train_and_test_divide_all_tasks_and_keep_variants_of_a_conversation_together(environment):
    splits = environment.splits()
    train, test = splits["train"], splits["test"]
    assert (len(train), len(test)) == (600, 200)
    assert len({*train, *test}) == 800

    def numbers(split):
        return {task_id.rpartition("_")[2] for task_id in split}

    assert not numbers(train) & numbers(test)


def test_each_category_is_a_split_of_200_tasks(environment):
    splits = environment.splits()
    for category in data.CATEGORIES:
        assert splits[category] == [f"{category}_{number}" for number in range(200)]


def test_a_task_can_be_named_by_its_index(environment):
    assert environment.splits()["index"] == [str(index) for index in range(800)]
    for index, task_id in (("0", "multi_turn_base_0"), ("799", "multi_turn_long_context_199")):
        by_index, by_id = (environment.open(Task(name, {})) for name in (index, task_id))
        assert by_index.initial_messages() == by_id.initial_messages()


def test_each_single_turn_category_is_a_split_in_the_order_of_its_file(environment, data_folder):
    splits = environment.splits()
    for category in single_turn.CATEGORIES:
        lines = (data_folder / data.file_name(category)).read_text().splitlines()
        assert splits[category] == [json.loads(line)["id"] for line in lines]
    assert len(splits["single_turn"]) == len({*splits["single_turn"]}) == 3491


def test_single_turn_tasks_with_a_right_answer_have_a_train_and_a_test_of_their_own(environment):
    splits = environment.splits()
    train, test = set(splits["train_single_turn"]), set(splits["test_single_turn"])
    assert (len(train), len(test)) == (2655, 832)
    assert train | test == {*splits["single_turn"]} - single_turn.UNANSWERABLE
    assert not {*splits["train"], *splits["test"], *splits["index"]} & {*splits["single_turn"]}


def test_questions_of_a_live_category_about_the_same_functions_are_on_the_same_side(environment):
    def functions(split):
        return {
            (data.category_of(task_id), task_id.split("-")[1])
            for task_id in environment.splits()[split]
            if "-" in task_id
        }

    assert not functions("train_single_turn") & functions("test_single_turn")


def test_only_evaluations_may_read_the_data(environment, data_folder):
    assert environment.truth() == [data_folder.resolve()]
    assert environment.readable() == ()


def test_a_task_does_not_tell_the_functions_of_its_answer(data_folder):
    assert not any('"path"' in text for text in data.read_tasks(data_folder).values())
    for line in single_turn.read_tasks(data_folder).values():
        assert json.loads(line).keys() == {"id", "question", "function"}


def test_nothing_is_read_of_the_answers_before_an_evaluation(monkeypatch, tmp_path, data_folder):
    for entry in data_folder.iterdir():
        if entry.name != data.ANSWERS:
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / data.ANSWERS).mkdir()
    monkeypatch.setenv("BFCL_DATA", str(tmp_path))
    environment = BfclEnvironment()
    environment.preload()
    task = Task("multi_turn_base_0", {})
    state = environment.open(task).save()
    with pytest.raises(FileNotFoundError):
        environment.evaluate(task, state, sparse=False)
    task = Task("simple_python_0", {})
    episode = environment.open(task)
    episode.step({"role": "assistant", "content": ""})
    with pytest.raises(FileNotFoundError):
        environment.evaluate(task, episode.save(), sparse=False)


def test_missing_data_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("BFCL_DATA", str(tmp_path))
    with pytest.raises(data.DataUnusable, match=str(tmp_path)):
        BfclEnvironment().preload()


def test_answers_among_pythons_libraries_are_refused(monkeypatch, tmp_path):
    (tmp_path / data.ANSWERS).mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path.parent))
    monkeypatch.setenv("BFCL_DATA", str(tmp_path))
    with pytest.raises(data.DataUnusable, match="can read the answers"):
        BfclEnvironment().preload()


def test_the_checker_is_the_packages_and_what_stood_in_for_its_models_is_gone(environment):
    checker = sys.modules["bfcl_eval.eval_checker.ast_eval.ast_checker"]
    assert Path(checker.__file__).is_relative_to(library.package_folder())
    assert "bfcl_eval.constants.model_config" not in sys.modules


def test_the_package_makes_no_folders_beside_itself(environment):
    assert "bfcl_eval.constants.eval_config" not in sys.modules
    beside = library.package_folder().parent
    assert not [name for name in ("result", "score", ".file_locks") if (beside / name).exists()]
