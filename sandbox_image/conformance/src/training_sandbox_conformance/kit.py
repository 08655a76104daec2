"""From an installed environment to the outcome of every check."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from training_sandbox_conformance.checks import CHECKS
from training_sandbox_conformance.costs import Costs, measure
from training_sandbox_conformance.installed import Installation, sample
from training_sandbox_conformance.outcomes import NotApplicable, Outcome, Verdict, Violation
from training_sandbox_conformance.served import Served
from training_sandbox_conformance.server_process import ServerFailedError
from training_sandbox_conformance.subject import Check, Subject


@dataclass(frozen=True, slots=True)
class Kit:
    """Checks an environment.

    Attributes:
        installation: The environment.
        checks: The checks that are wanted.
        sample_size: How many of its examples are played.
        log: Takes what the servers log.
    """

    installation: Installation
    checks: Sequence[Check]
    sample_size: int
    log: Path

    def run(self) -> Iterator[Outcome | Costs]:
        """The outcomes as they come, and in the end what an episode costs if nothing failed.

        Raises:
            KitError: The environment gives no examples.
        """
        with ExitStack() as stack:
            try:
                served = stack.enter_context(Served(self.installation, 1, self.log))
            except ServerFailedError as error:
                yield from self._unchecked(str(error))
                return
            yield from self._run(served)

    def _unchecked(self, why: str) -> Iterator[Outcome]:
        """The outcomes where there is no server to look at."""
        starts = CHECKS[0]
        yield Outcome(starts.name, starts.promise, Verdict.FAILED, why, starts.remedy)
        for check in self.checks:
            if check is not starts:
                text = "the server does not start"
                yield Outcome(check.name, check.promise, Verdict.SKIPPED, text)

    def _run(self, served: Served) -> Iterator[Outcome | Costs]:
        examples = self.installation.examples()
        again = self.log.with_stem(f"{self.log.stem}-again")
        subject = Subject(
            description=self.installation.describe(),
            examples=sample(examples, self.sample_size),
            all_examples=examples,
            served=served,
            serve_anew=lambda: Served(self.installation, 2, again),
        )
        passed = True
        for check in self.checks:
            outcome = run_check(check, subject)
            passed = passed and outcome.verdict is not Verdict.FAILED
            yield outcome
        if passed:
            yield measure(served, subject.examples)


def run_check(check: Check, subject: Subject) -> Outcome:
    """How a check goes; if it fails, it leaves no episode behind."""
    try:
        note = check.run(subject)
    except NotApplicable as reason:
        return Outcome(check.name, check.promise, Verdict.SKIPPED, str(reason))
    except (Violation, ServerFailedError) as failure:
        subject.served.release_all()
        return Outcome(check.name, check.promise, Verdict.FAILED, str(failure), check.remedy)
    return Outcome(check.name, check.promise, Verdict.PASSED, note or "")
