"""The release of the chart that is tested."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.support.cluster import REPOSITORY, kubectl, run

SYSTEM = "training-sandbox-system"
CHART = REPOSITORY / "charts" / "training-sandbox"


def helm(*arguments: str) -> str:
    return run("helm", *arguments, "--namespace", SYSTEM)


def release_values() -> str:
    return helm("get", "values", "training-sandbox", "--output", "json")


def upgrade(values: Path, chart: Path = CHART) -> None:
    """Upgrade or install the release with these values alone, and wait until it is there.

    An operator from before may still work then.
    """
    helm(
        "upgrade",
        "--install",
        "training-sandbox",
        str(chart),
        "--values",
        str(values),
        "--wait",
        "--timeout",
        "3m",
    )


@contextmanager
def put_back_afterwards(file: Path) -> Generator[Path]:
    """Write the values of the release to a file; the release is as it was afterwards."""
    file.write_text(release_values())
    yield file
    upgrade(file)


def operator_pods() -> set[str]:
    """Names of the operators that run, those that are about to end too."""
    names = kubectl(
        "get",
        "pods",
        "--namespace",
        SYSTEM,
        "--field-selector",
        "status.phase=Running",
        "--selector",
        "app.kubernetes.io/component=operator",
        "--output",
        "jsonpath={.items[*].metadata.name}",
    )
    return set(names.split())


def lease_holder() -> str:
    """The identity of the operator that leads; empty when none does."""
    path = "jsonpath={.spec.holderIdentity}"
    return kubectl(
        *("get", "lease", "training-sandbox", "--namespace", SYSTEM),
        *("--output", path, "--ignore-not-found"),
    )


def leader() -> str:
    """The pod that leads; empty when none does."""
    return lease_holder().partition("_")[0]
