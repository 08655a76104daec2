"""The release of the chart that is tested."""

from __future__ import annotations

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


def operator_pods() -> set[str]:
    """UIDs of the operators that run, those that are about to end too."""
    uids = kubectl(
        "get",
        "pods",
        "--namespace",
        SYSTEM,
        "--field-selector",
        "status.phase=Running",
        "--selector",
        "app.kubernetes.io/component=operator",
        "--output",
        "jsonpath={.items[*].metadata.uid}",
    )
    return set(uids.split())
