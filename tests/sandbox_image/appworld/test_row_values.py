"""Dates and JSON in rows are read as AppWorld and Python read them."""

import json
import math
from datetime import UTC, datetime

import pytest

from training_sandbox_appworld import library, row_values


@pytest.mark.parametrize(
    "value",
    [
        datetime(2023, 5, 18, 12, 0, 0),  # noqa: DTZ001 (as SQLAlchemy has it)
        datetime(1, 1, 1, 0, 0, 0, 1),  # noqa: DTZ001 (the same)
        datetime(9999, 12, 31, 23, 59, 59, 999_999),  # noqa: DTZ001 (the same)
        datetime(2024, 2, 29, 1, 2, 3, 450, tzinfo=UTC),
        None,
    ],
)
def test_a_date_is_the_one_that_appworld_parses(
    value: datetime | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = library.module("common.datetime").SqlalchemyDateTimeProcessor
    expected = processor().process_result_value(None, value, None)
    monkeypatch.setattr(processor, "process_result_value", processor.process_result_value)
    row_values.speed_up()
    found = processor().process_result_value(None, value, None)
    assert (type(found), found) == (type(expected), expected)
    if value is not None:
        assert (found.tzinfo, found.fold) == (expected.tzinfo, expected.fold)
        assert repr(found) == repr(expected)


@pytest.mark.parametrize("text", ["[]", "null", '{"a": [1, {"b": 1.5}]}', ' "é" ', "1e3", "NaN"])
def test_json_is_what_python_reads(text: str) -> None:
    found, expected = row_values.load_json(text), json.loads(text)
    assert found == expected or (math.isnan(found) and math.isnan(expected))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "[1] x", "{'a': 1}", "[1", "\ufeff[]", 5, None])
def test_what_is_not_json_is_refused_as_by_python(text: str) -> None:
    with pytest.raises((ValueError, TypeError)) as expected:
        json.loads(text)
    with pytest.raises(expected.type):
        row_values.load_json(text)
