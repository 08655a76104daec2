"""What docs/operations.md says of the operator is what the operator has."""

from __future__ import annotations

import re
from pathlib import Path

from training_sandbox_operator.metrics import Metrics

PAGE = Path(__file__).resolve().parents[2] / "docs/operations.md"
PREFIX = "training_sandbox_operator_"


def documented() -> set[tuple[str, tuple[str, ...]]]:
    """Name and labels of every metric in the page's table."""
    table = PAGE.read_text().partition("| metric | what |")[2].partition("\n\n")[0]
    names = "".join(row.split("|")[1] for row in table.strip().splitlines()[1:])
    return {
        (name, tuple(labels.split(",")) if labels else ())
        for name, labels in re.findall(r"`(\w+)(?:\{([\w,]+)\})?`", names)
    }


def test_the_table_of_metrics_names_exactly_those_that_there_are() -> None:
    there_are = {
        (
            metric._name.removeprefix(PREFIX) + ("_total" if metric._type == "counter" else ""),
            metric._labelnames,
        )
        for metric in Metrics()._registry._collector_to_names
    }
    assert documented() == there_are
