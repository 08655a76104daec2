"""Episodes do not touch."""

from collections.abc import Sequence

from training_sandbox_conformance.installed import Example
from training_sandbox_conformance.playing import Played, Playing, require_same
from training_sandbox_conformance.subject import Check, Subject


def run(subject: Subject) -> None:
    """Play each example right and wrong, and the next one too, a step of each in turn."""
    examples = subject.examples
    for number, example in enumerate(examples):
        _play_interleaved(subject, [example, examples[(number + 1) % len(examples)]])


def _play_interleaved(subject: Subject, examples: Sequence[Example]) -> None:
    together: list[tuple[Played, Playing]] = []
    for example in examples:
        for right in (True, False):
            messages = example.right if right else example.wrong
            playing = Playing.begin(subject.served, example.task_id, messages)
            together.append((subject.alone(example, right=right), playing))
    while not all(playing.is_over for _, playing in together):
        for _, playing in together:
            playing.step()
    for expected, playing in together:
        require_same(expected, playing.end(), "while others were played")


CHECK = Check(
    name="isolated",
    promise="Episodes that are played at the same time go as if alone",
    remedy="Share nothing that can be written between processes: no mmap, pipe, socket, file or "
    "service that was opened in preload or in Environment.open.",
    run=run,
)
