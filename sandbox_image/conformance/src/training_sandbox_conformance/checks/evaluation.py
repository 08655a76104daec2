"""Scores can be asked for at any time."""

from training_sandbox_conformance.installed import Example
from training_sandbox_conformance.playing import Played, Playing, Score, require_same
from training_sandbox_conformance.served import Served
from training_sandbox_conformance.subject import Check, Subject, require


def run(subject: Subject) -> None:
    """Evaluate before every step of each example, right and wrong, in two episodes."""
    for example in subject.examples:
        for right in (True, False):
            # A server remembers the reward of an episode: another one is evaluated afresh.
            scores, played = _evaluate_at_every_step(subject.served, example, right=right)
            again, _ = _evaluate_at_every_step(subject.served, example, right=right)
            for steps, (one, other) in enumerate(zip(scores, again, strict=True)):
                _require_same_score(f"task {example.task_id} after {steps} steps", one, other)
            expected = subject.alone(example, right=right)
            require_same(expected, played, "evaluated before every step")


def _evaluate_at_every_step(
    served: Served, example: Example, *, right: bool
) -> tuple[list[Score], Played]:
    messages = example.right if right else example.wrong
    playing = Playing.begin(served, example.task_id, messages)
    scores: list[Score] = []
    for _ in range(len(messages) + 1):
        scores.append(playing.evaluate())
        playing.step()
    return scores, playing.end()


def _require_same_score(where: str, score: Score, again: Score) -> None:
    reward, sparse = score
    require(0.0 <= reward <= 1.0, f"{where}: the reward is {reward:g}, not from 0 to 1")
    require(sparse in {0.0, 1.0}, f"{where}: the sparse reward is {sparse:g}, not 0 or 1")
    require(
        score == again,
        f"{where}: evaluated twice, {reward:g} (sparse {sparse:g}) became "
        f"{again[0]:g} (sparse {again[1]:g})",
    )


CHECK = Check(
    name="evaluation",
    promise="An evaluation is repeatable, changes nothing, and is 0 or 1 when sparse",
    remedy="Let Episode.save only read, and Environment.evaluate depend on its arguments alone; "
    "return 0.0 or 1.0 when `sparse` is asked for.",
    run=run,
)
