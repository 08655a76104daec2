"""The chart, rendered by the real Helm."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[2] / "charts" / "training-sandbox"
# A helm that was built from source does not know which Kubernetes it is for.
KUBERNETES = ("--kube-version", "1.36.0")


class StrictLoader(yaml.CSafeLoader):
    """Refuses a key that comes twice: two documents that lost the line between them."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key comes twice: {keys}"
        return super().construct_mapping(node, deep)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)


@cache
def rendered(*arguments: str) -> str:
    result = helm(
        "template", "release", str(CHART), "--namespace", "system", *KUBERNETES, *arguments
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def render(*arguments: str) -> list[dict[str, Any]]:
    """The documents that the release has with these values, in the namespace system."""
    documents = yaml.load_all(rendered(*arguments), Loader=StrictLoader)
    return [document for document in documents if document]


def notes(folder: Path, *arguments: str) -> str:
    """What Helm tells after it has installed the release; it renders that for a cluster only."""
    chart = folder / "chart"
    shutil.copytree(CHART, chart)
    (chart / "templates/NOTES.txt").rename(chart / "notes.txt")
    wrapped = '{{ dict "notes" (tpl (.Files.Get "notes.txt") .) | toJson }}'
    (chart / "templates/notes.yaml").write_text(wrapped)
    only_this = ("--show-only", "templates/notes.yaml", "--namespace", "system")
    result = helm("template", "release", str(chart), *only_this, *KUBERNETES, *arguments)
    assert result.returncode == 0, result.stderr
    return yaml.safe_load(result.stdout)["notes"]


def only(documents: list[dict[str, Any]], kind: str, **match: str) -> dict[str, Any]:
    found = [
        document
        for document in documents
        if document["kind"] == kind
        and all(document["metadata"].get(key) == value for key, value in match.items())
    ]
    assert len(found) == 1, found
    return found[0]
