"""What was begun ends."""

import time
from typing import cast

from training_sandbox_conformance.playing import Playing
from training_sandbox_conformance.subject import Check, Subject, require

_PATIENCE_SECONDS = 5
_POLL_SECONDS = 0.1
_GROUP = 4


def run(subject: Subject) -> None:
    """Play groups in part, release them, and look for processes and slots that remain."""
    served = subject.served
    for example in subject.examples:
        group = served.create_group(example.task_id, _GROUP)
        for steps, begun in enumerate(group):
            Playing(served, example.task_id, begun, example.right).steps(steps)
        served.release(*(begun.id for begun in group))
    end = time.monotonic() + _PATIENCE_SECONDS
    while (left := _left_behind(subject)) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    require(not left, f"{_PATIENCE_SECONDS} s after all episodes were released there are {left}")


def _left_behind(subject: Subject) -> str:
    """What there is beside the server, the zygote and the templates; empty if nothing."""
    status = subject.served.status()
    used = cast("dict[str, int]", status["slots"])["used"]
    templates = cast("dict[str, int]", status["templates"])["count"]
    processes = len(subject.served.process.processes()) - 2 - templates
    return f"{used} slots in use, {processes} processes too many" if used or processes else ""


CHECK = Check(
    name="released",
    promise="Released episodes leave no process behind",
    remedy="Start no process in preload or in Environment.open; an episode cannot start any.",
    run=run,
)
