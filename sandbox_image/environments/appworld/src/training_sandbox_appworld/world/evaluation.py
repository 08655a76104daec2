"""Scores a task of a synthetic world.

This file is copied into every task's ground truth, where AppWorld imports it by path: so it is
self-contained, and what is expected comes from the task's `private_data`.
"""

import json
from typing import Any

ANSWER = "assert the answer matches the ground truth answer"
CHANGED_MODELS = "assert only the expected models have changed"
RECORDS = "assert exactly the expected records were added, updated and removed"


def evaluate(
    *,
    test: Any,
    public_data: Any,  # noqa: ARG001 (AppWorld passes it by name)
    private_data: Any,
    main_user: Any,  # noqa: ARG001
    models: Any,
    ground_truth_answer: Any,
) -> None:
    """Run the tests of a task; `test` records which of them pass."""
    with test(ANSWER):
        task = models.end.supervisor.Task.all()[0]
        test.answer(json.loads(task.answer), ground_truth_answer)

    with test(CHANGED_MODELS):
        test.case(sorted(models.changed_model_names()), "==", sorted(private_data.changed_models))

    if private_data.records:
        with test(RECORDS):
            for expected in private_data.records:
                added, updated, removed = models.changed_records(expected.model)
                test.case(_parts(added, expected.added), "==", _sorted(expected.added))
                test.case(_parts(updated, expected.updated), "==", _sorted(expected.updated))
                test.case(len(removed), "==", 0)


def _parts(records: list[Any], like: list[dict[str, object]]) -> list[str]:
    """The fields of the records that the expected ones have, in a comparable form."""
    fields = list(like[0]) if like else ["id"]
    return _sorted([{field: getattr(record, field) for field in fields} for record in records])


def _sorted(parts: list[dict[str, object]]) -> list[str]:
    return sorted(json.dumps(part, sort_keys=True) for part in parts)
