"""Scores are right where they are known."""

from training_sandbox_conformance.playing import Played
from training_sandbox_conformance.subject import Check, Subject, require


def run(subject: Subject) -> str:
    """Play the right and the wrong messages of each example."""
    for example in subject.examples:
        _require_full_score(subject.alone(example, right=True))
        _require_less(subject.alone(example, right=False))
    return f"{len(subject.examples)} of {len(subject.all_examples)} examples"


def _require_full_score(played: Played) -> None:
    task = f"task {played.task_id}, the right messages"
    require(played.terminated, f"{task}: the last step does not end the task")
    for number, step in enumerate(played.steps[:-1], 1):
        require(step.reward == 0.0, f"{task}: step {number} has the reward {step.reward:g}")
    require(played.reward == 1.0, f"{task}: the reward is {played.reward:g}, not 1")
    require(played.sparse == 1.0, f"{task}: the sparse reward is {played.sparse:g}, not 1")
    last = played.steps[-1].reward
    require(last == played.reward, f"{task}: the last step says {last:g}, /evaluate says 1")


def _require_less(played: Played) -> None:
    task = f"task {played.task_id}, the wrong messages"
    require(0.0 <= played.reward < 1.0, f"{task}: the reward is {played.reward:g}, not below 1")
    require(played.sparse == 0.0, f"{task}: the sparse reward is {played.sparse:g}, not 0")


CHECK = Check(
    name="solutions",
    promise="Right messages end the task with the score 1, wrong ones with less",
    remedy="Play the example by hand (`training-sandbox-server`, docs/environments.md), then "
    "correct Environment.evaluate, Episode.step or the example.",
    run=run,
)
