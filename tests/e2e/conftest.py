from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lightkube import Client

from tests.e2e.support.cluster import REPOSITORY, Namespace, kubectl, own_namespace
from tests.e2e.support.release import put_back_afterwards
from training_sandbox import TrainingSandbox

MEASURED = REPOSITORY / "build" / "e2e"
STARTED = time.time()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what this run has measured, in whatever process."""
    measured = [
        f"{name}: {value:.2f}"
        for file in sorted(MEASURED.glob("measurements-*.json"))
        if file.stat().st_mtime >= STARTED
        for name, value in json.loads(file.read_text()).items()
    ]
    if measured:
        terminalreporter.section("measurements")
        for line in measured:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def api() -> Client:
    return Client()


@pytest.fixture
def namespace(api: Client) -> Iterator[Namespace]:
    """A namespace of the test's own; what the test leaves in it is deleted with it."""
    with own_namespace(api) as mine:
        yield mine


@pytest.fixture(scope="session")
def shared(api: Client) -> Iterator[Namespace]:
    """A namespace for the instance that many tests play in."""
    with own_namespace(api, "e2e-shared") as ours:
        yield ours


@pytest.fixture(scope="session")
def sandbox(shared: Namespace) -> Iterator[TrainingSandbox]:
    """A client with an open AppWorld instance, shared by the tests that do no harm to it."""
    with TrainingSandbox(
        env_type="appworld",
        namespace=shared.name,
        name="shared",
        slots=16,
        # Tests that do not use it may run for long in between.
        idle_timeout_seconds=7200,
    ) as box:
        yield box


@pytest.fixture
def values(tmp_path: Path) -> Iterator[Path]:
    """The values of the release; it is put back as it was afterwards."""
    with put_back_afterwards(tmp_path / "values.json") as file:
        yield file


@pytest.fixture
def values_with(values: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a file of the release's values with others in place of some."""

    def make(**changes: Any) -> Path:
        file = tmp_path / f"values-with-{'-'.join(changes)}.json"
        file.write_text(json.dumps({**json.loads(values.read_text()), **changes}))
        return file

    return make


Solutions = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def solutions(sandbox: TrainingSandbox, shared: Namespace) -> Solutions:
    """The known right and wrong solution of every task of the world that the image carries."""
    assert sandbox.get_env_profile(split="train")
    pod = shared.status("shared")["podName"]
    return json.loads(
        kubectl("exec", "--namespace", shared.name, pod, "--", "cat", "/opt/world/solutions.json")
    )


@pytest.fixture(scope="session")
def measurements(worker_id: str) -> Iterator[dict[str, float]]:
    """Seconds that tests measured, written to build/e2e/measurements-*.json, one a process."""
    seconds: dict[str, float] = {}
    yield seconds
    MEASURED.mkdir(parents=True, exist_ok=True)
    target = MEASURED / f"measurements-{worker_id}.json"
    target.write_text(json.dumps(seconds, indent=2) + "\n")
