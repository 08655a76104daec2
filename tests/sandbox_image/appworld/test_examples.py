"""The solutions of a synthetic world, as the conformance kit plays them."""

from pathlib import Path

import pytest

from training_sandbox_appworld.examples import examples
from training_sandbox_appworld.library import WorldUnusable
from training_sandbox_appworld.world.solutions import Solutions


def test_every_task_has_a_right_and_a_wrong_way_in_python_blocks(
    world: Path, solutions: dict[str, Solutions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPWORLD_ROOT", str(world))
    by_task = {example.task_id: example for example in examples()}
    assert by_task.keys() == solutions.keys()
    for task_id, of_task in solutions.items():
        for messages, steps in (
            (by_task[task_id].right, of_task.right),
            (by_task[task_id].wrong, of_task.wrong),
        ):
            assert [message["role"] for message in messages] == ["assistant"] * len(steps)
            assert [message["content"] for message in messages] == [
                f"```python\n{code}\n```" for code in steps
            ]


def test_a_world_whose_solutions_nobody_knows_has_no_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPWORLD_ROOT", str(tmp_path))
    with pytest.raises(WorldUnusable, match=r"only synthetic worlds have solutions"):
        examples()
