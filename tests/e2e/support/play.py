"""Plays a known solution through the client."""

from __future__ import annotations

from collections.abc import Sequence

from training_sandbox import TrainingSandbox


def action(code: str) -> dict[str, object]:
    return {"role": "assistant", "content": f"```python\n{code}\n```"}


def play(sandbox: TrainingSandbox, task_id: str, codes: Sequence[str]) -> float:
    """Returns the reward of the step that ended the task."""
    instance_id = sandbox.create_instance(task_id=task_id)["info"]["instance_id"]
    try:
        answers = [sandbox.step(instance_id, action(code)) for code in codes]
        assert answers[-1]["is_terminated"], answers[-1]["state"]
        assert [answer["reward"] for answer in answers[:-1]] == [0.0] * (len(codes) - 1)
        assert sandbox.evaluate(instance_id) == answers[-1]["reward"]
        return answers[-1]["reward"]
    finally:
        sandbox.release_instance(instance_id)
