"""The kit, run in this process against environments of this folder."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from training_sandbox_conformance.checks import CHECKS
from training_sandbox_conformance.costs import Costs
from training_sandbox_conformance.installed import Installation
from training_sandbox_conformance.kit import Kit
from training_sandbox_conformance.outcomes import Outcome
from training_sandbox_conformance.served import Served
from training_sandbox_conformance.subject import Subject

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def install() -> Callable[[str, str], Installation]:
    """An environment of this folder, and the function that gives its examples."""
    inherited = {name: value for name, value in os.environ.items() if "SANDBOX_" not in name}

    def installed(environment: str, examples: str) -> Installation:
        settings = {**inherited, "PYTHONPATH": str(HERE)}
        return Installation(environment, Path(sys.executable), examples, settings)

    return installed


@pytest.fixture
def check(install, tmp_path: Path) -> Callable[..., list[Outcome | Costs]]:
    """Run some of the checks, or all of them, as the command does."""

    def run(
        environment: str,
        only: Sequence[str] = tuple(check.name for check in CHECKS),
        examples: str = "number_game:examples",
    ) -> list[Outcome | Costs]:
        wanted = [check for check in CHECKS if check.name in only]
        return list(Kit(install(environment, examples), wanted, 1, tmp_path / "log").run())

    return run


@pytest.fixture(scope="session")
def broken(install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """The game whose tasks break one promise each, on one server."""
    installation = install("broken_games:BrokenGame", "broken_games:broken_examples")
    log = tmp_path_factory.mktemp("broken") / "log"
    with Served(installation, 1, log) as served:
        examples = installation.examples()
        yield Subject(
            description=installation.describe(),
            examples=examples,
            all_examples=examples,
            served=served,
            serve_anew=lambda: Served(installation, 2, log.with_stem("log-again")),
        )
