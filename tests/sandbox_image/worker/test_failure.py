import pytest

from training_sandbox_worker.failure import one_line


def raised(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_an_exception_is_told_with_its_type_text_and_place():
    told = one_line(raised(KeyError("task")))
    assert told.startswith("KeyError: 'task' (test_failure.py:")


def test_it_is_one_line_of_bounded_length():
    told = one_line(raised(ValueError("line\n" * 1000)))
    assert "\n" not in told
    assert len(told) < 500


def test_an_exception_without_text_or_traceback_has_its_type():
    assert one_line(SystemExit()) == "SystemExit"
