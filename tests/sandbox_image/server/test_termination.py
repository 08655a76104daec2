import json

import pytest

from training_sandbox_server import termination


@pytest.fixture
def termination_log(tmp_path, monkeypatch):
    monkeypatch.setattr(termination, "TERMINATION_LOG", tmp_path / "termination-log")
    return tmp_path / "termination-log"


def test_the_reason_goes_to_the_log_that_kubelet_made_and_to_stderr(termination_log, capsys):
    termination_log.touch()
    termination.report("UnknownTask", "there is no\nsuch task")
    assert termination_log.read_text() == capsys.readouterr().err
    (line,) = termination_log.read_text().splitlines()
    assert json.loads(line) == {"reason": "UnknownTask", "message": "there is no\nsuch task"}


def test_the_log_is_not_made_where_kubelet_made_none(termination_log):
    termination.report("UnknownTask", "there is no such task")
    assert not termination_log.exists()
