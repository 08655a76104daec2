"""What a release tells and checks by itself, and a world of the user's own in its catalogue."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Solutions
from tests.e2e.support.cluster import REPOSITORY, Namespace, kubectl, run
from tests.e2e.support.play import play
from tests.e2e.support.release import SYSTEM, helm, upgrade
from training_sandbox import TrainingSandbox

pytestmark = pytest.mark.alone


def test_the_notes_name_the_next_command() -> None:
    notes = helm("get", "notes", "training-sandbox")
    assert "kubectl apply -f -" in notes
    assert f"helm test training-sandbox --namespace {SYSTEM}" in notes


def test_helm_test_plays_an_episode() -> None:
    try:
        answer = helm("test", "training-sandbox", "--timeout", "5m")
    except AssertionError as error:
        error.add_note(kubectl("logs", "training-sandbox-test", "--namespace", SYSTEM))
        raise
    assert "Phase:          Succeeded" in answer


@pytest.fixture
def another_world(namespace: Namespace, tmp_path: Path) -> Iterator[Path]:
    """A small world of another seed, as a volume of the namespace that any node can mount."""
    world = tmp_path / "world"
    run(
        "build/venvs/appworld/bin/python",
        "-m",
        "training_sandbox_appworld.world",
        "--root",
        str(world),
        "--seed",
        "99",
        "--small",
    )
    archive = tmp_path / "world.tar"
    run("tar", "--create", "--file", str(archive), "--directory", str(world), ".")
    nodes = kubectl(
        "get",
        "nodes",
        "--selector",
        "!node-role.kubernetes.io/control-plane",
        "--output",
        "jsonpath={.items[*].metadata.name}",
    ).split()
    target = f"/var/lib/training-sandbox-test/{namespace.name}"
    for node in nodes:
        with archive.open("rb") as content:
            subprocess.run(
                [
                    str(REPOSITORY / "tests/cluster/node"),
                    "exec",
                    node,
                    "sh",
                    "-c",
                    f"mkdir -p {target} && cd {target} && tar --extract && chmod -R a+rX .",
                ],
                stdin=content,
                check=True,
            )
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": namespace.name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "",
            "hostPath": {"path": target},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "world", "namespace": namespace.name},
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "",
            "volumeName": namespace.name,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    kubectl(
        "apply",
        "--filename",
        "-",
        stdin=json.dumps(
            {
                "apiVersion": "v1",
                "kind": "List",
                "items": [volume, claim],
            }
        ),
    )
    yield world
    kubectl("delete", "persistentvolume", namespace.name, "--wait=false")
    for node in nodes:
        run(str(REPOSITORY / "tests/cluster/node"), "exec", node, "rm", "-rf", target)


def test_an_environment_with_a_mounted_world_serves_that_world(
    values: Path,
    values_with: Callable[..., Path],
    namespace: Namespace,
    another_world: Path,
    solutions: Solutions,
) -> None:
    environments = json.loads(values.read_text())["environments"]
    environments["appworld-mounted"] = {
        "image": environments["appworld"]["image"],
        "slots": 4,
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "3Gi"}},
        "env": [{"name": "APPWORLD_ROOT", "value": "/world"}],
        "volumes": [
            {"name": "world", "persistentVolumeClaim": {"claimName": "world", "readOnly": True}}
        ],
        "volumeMounts": [{"name": "world", "mountPath": "/world", "readOnly": True}],
    }
    upgrade(values_with(environments=environments))

    theirs = json.loads((another_world / "solutions.json").read_text())
    assert set(theirs) != set(solutions)
    with TrainingSandbox(
        env_type="appworld-mounted", namespace=namespace.name, name="mounted"
    ) as box:
        task_ids = box.get_env_profile(split="train")
        assert set(task_ids) <= set(theirs)
        assert play(box, task_ids[0], theirs[task_ids[0]]["right"]) == 1.0
        assert play(box, task_ids[0], theirs[task_ids[0]]["wrong"]) < 1.0
