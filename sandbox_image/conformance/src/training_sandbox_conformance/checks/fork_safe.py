"""A running episode can be copied."""

from typing import cast

from training_sandbox_conformance.installed import Example
from training_sandbox_conformance.outcomes import NotApplicable
from training_sandbox_conformance.playing import Playing, require_same
from training_sandbox_conformance.subject import Check, Subject


def run(subject: Subject) -> None:
    """Fork at the beginning, in the middle and before the end, and fork forks."""
    confinement = cast("dict[str, object] | None", subject.served.status()["confinement"])
    if confinement is not None and not confinement["fork_gate"]:
        raise NotApplicable("running episodes cannot be forked on this kernel")
    for example in subject.examples:
        count = len(example.right)
        for steps in sorted({0, count // 2, count - 1}):
            _fork_beside_a_wrong_one(subject, example, steps)
        _fork_forks(subject, example)


def _fork_beside_a_wrong_one(subject: Subject, example: Example, steps: int) -> None:
    expected = subject.alone(example, right=True)
    parent = Playing.begin(subject.served, example.task_id, example.right).steps(steps)
    wrong, branch = parent.branch(example.wrong), parent.branch()
    wrong.end()
    require_same(expected, branch.end(), f"in a branch after {steps} steps, beside a wrong one")
    require_same(expected, parent.end(), f"after it was forked at {steps} steps")


def _fork_forks(subject: Subject, example: Example) -> None:
    """Fork after each of the first steps, each time the newest; the youngest ends first."""
    expected = subject.alone(example, right=True)
    family = [Playing.begin(subject.served, example.task_id, example.right)]
    for _ in range(min(3, len(example.right))):
        family.append(family[-1].branch())
        family[-1].step()
    for generation in reversed(range(len(family))):
        seen = family[generation].end()
        require_same(expected, seen, f"in a fork of a fork, generation {generation}")


CHECK = Check(
    name="fork-safe",
    promise="Branches of a running episode end right, whatever their siblings do",
    remedy="Keep an episode's state in its memory; end threads and let go of what two processes "
    "cannot share in Episode.before_fork, and take it up again in Episode.after_fork.",
    run=run,
)
