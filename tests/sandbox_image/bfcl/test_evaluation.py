"""What a response stands for, and what makes that there is no score."""

import pytest

from training_sandbox_bfcl import evaluation
from training_sandbox_bfcl.tools import Tools

TASK = "multi_turn_base_0"
TOO_DEEP = "-" * 20_000 + "1"


@pytest.fixture
def broken(tasks, monkeypatch):
    """Has a tool of the task fail with an error."""

    def broken(error):
        def fail(*_, **__):
            raise error

        file_system = type(Tools(tasks[TASK]).instances["GorillaFileSystem"])
        monkeypatch.setattr(file_system, "cd", fail)

    return broken


def score(tasks, truth, calls):
    return evaluation.score(tasks[TASK], truth(TASK), [calls])


@pytest.mark.parametrize("error", [MemoryError(), OSError("no file can be opened")])
def test_what_the_machine_lacks_is_no_response(tasks, truth, broken, error):
    broken(error)
    with pytest.raises(type(error)):
        score(tasks, truth, ["cd(folder='document')"])


def test_an_error_of_a_tool_is_a_response(tasks, truth, broken):
    broken(ValueError("no such folder"))
    assert score(tasks, truth, ["cd(folder='document')"]).right == 0


def test_a_call_that_python_cannot_parse_for_its_depth_is_a_response(tasks, truth):
    assert Tools(tasks[TASK]).execute(TOO_DEEP) == "Error during execution: "
    assert score(tasks, truth, [TOO_DEEP]).right == 0
