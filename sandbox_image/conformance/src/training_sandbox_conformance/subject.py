"""What the checks look at: an environment on a server, and how its examples go when alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training_sandbox_conformance.installed import Description, Example
from training_sandbox_conformance.outcomes import Violation
from training_sandbox_conformance.playing import Played, Playing
from training_sandbox_conformance.served import Served


@dataclass
class Subject:
    """An environment that is served.

    Attributes:
        description: What it says that it has.
        examples: The sample that is played.
        all_examples: Every example that it gives.
        served: A server of it; the checks release whatever they create.
        serve_anew: Starts another server of it, whose hashes of texts are other ones.
    """

    description: Description
    examples: Sequence[Example]
    all_examples: Sequence[Example]
    served: Served
    serve_anew: Callable[[], Served]
    _alone: dict[tuple[str, bool], Played] = field(default_factory=dict[tuple[str, bool], Played])

    def alone(self, example: Example, *, right: bool) -> Played:
        """How an example goes in an episode of its own; it is played once and remembered."""
        key = example.task_id, right
        if key not in self._alone:
            messages = example.right if right else example.wrong
            self._alone[key] = Playing.begin(self.served, example.task_id, messages).end()
        return self._alone[key]


@dataclass(frozen=True, slots=True)
class Check:
    """A promise that every environment makes.

    Attributes:
        name: One word or two, for the command line.
        promise: A sentence.
        remedy: What to do when it is broken.
        run: Raises `Violation` when it is broken and `NotApplicable` when there is nothing to look
            at; may return what else is worth telling.
    """

    name: str
    promise: str
    remedy: str
    run: Callable[[Subject], str | None]


def require(holds: bool, what: str) -> None:
    """Raise a violation unless something holds."""
    if not holds:
        raise Violation(what)


def is_within(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or below it."""
    return path == folder or folder in path.parents
