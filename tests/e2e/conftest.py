from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lightkube import Client

from tests.e2e.support.cluster import REPOSITORY, Namespace, kubectl
from tests.e2e.support.release import release_values, upgrade
from training_sandbox import TrainingSandbox


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def api() -> Client:
    return Client()


@pytest.fixture
def namespace(api: Client) -> Iterator[Namespace]:
    """A namespace of the test's own; what the test leaves in it is deleted with it."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield Namespace(name, api)
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def shared(api: Client) -> Iterator[Namespace]:
    """A namespace for the instance that many tests play in."""
    name = f"e2e-shared-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield Namespace(name, api)
    kubectl("delete", "namespace", name, "--wait=false")


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
    file = tmp_path / "values.json"
    file.write_text(release_values())
    yield file
    upgrade(file)


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
    target = REPOSITORY / "build" / "e2e" / f"measurements-{worker_id}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(seconds, indent=2) + "\n")
    for name, value in seconds.items():
        print(f"\n{name}: {value:.2f} s", end="")
