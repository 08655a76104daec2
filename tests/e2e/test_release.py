"""The chart's life: upgrade under a running episode, `helm test`, uninstall, install again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Solutions
from tests.e2e.support.cluster import REPOSITORY, Namespace, kubectl, run, wait_until
from tests.e2e.support.play import action, play
from tests.e2e.support.release import SYSTEM, helm, operator_pods, upgrade
from training_sandbox import TrainingSandbox

pytestmark = pytest.mark.alone


def test_the_notes_name_the_next_command() -> None:
    notes = helm("get", "notes", "training-sandbox")
    assert "kubectl apply -f -" in notes
    assert f"helm test training-sandbox --namespace {SYSTEM}" in notes


def test_helm_test_plays_an_episode() -> None:
    answer = helm("test", "training-sandbox", "--timeout", "5m")
    assert "Phase:          Succeeded" in answer


def test_an_upgrade_disturbs_no_running_episode(
    values: Path, namespace: Namespace, solutions: Solutions, tmp_path: Path
) -> None:
    task_id, solution = next(iter(solutions.items()))
    with TrainingSandbox(env_type="appworld", namespace=namespace.name, name="steady") as box:
        instance_id = box.create_instance(task_id=task_id)["info"]["instance_id"]
        first, *rest = solution["right"]
        box.step(instance_id, action(first))
        before, former = namespace.status("steady"), operator_pods()

        changed = tmp_path / "changed.json"
        changed.write_text(json.dumps({**json.loads(values.read_text()), "logLevel": "debug"}))
        upgrade(changed)
        wait_until("the operators are others", lambda: former.isdisjoint(operator_pods()))

        answers = [box.step(instance_id, action(code)) for code in rest]
        assert answers[-1]["reward"] == 1.0
        assert namespace.status("steady")["podUID"] == before["podUID"]


def objects_of_the_release() -> list[str]:
    """Everything that Helm has made but for the CRDs, by name."""
    kinds = "deployments,configmaps,services,serviceaccounts,roles,rolebindings,clusterroles"
    return kubectl(
        *("get", f"{kinds},clusterrolebindings,networkpolicies,poddisruptionbudgets"),
        *("--all-namespaces", "--output", "name"),
        *("--selector", "app.kubernetes.io/instance=training-sandbox"),
    ).split()


def test_uninstalling_keeps_instances_and_installing_again_takes_them_over(
    values: Path, namespace: Namespace, solutions: Solutions
) -> None:
    task_id, solution = next(iter(solutions.items()))
    namespace.apply("orphan", envType="appworld", slots=1)
    pod = namespace.wait_phase("orphan", "Ready")["podUID"]
    assert objects_of_the_release()
    helm("uninstall", "training-sandbox", "--wait")
    crds = kubectl("get", "crds", "--output", "name")
    assert "traininginstances.trainingsandbox.dev" in crds
    assert "trainingpools.trainingsandbox.dev" in crds
    assert namespace.status("orphan")["podUID"] == pod
    assert objects_of_the_release() == []
    # The operator made it, not Helm.
    kubectl("get", "lease", "training-sandbox", "--namespace", SYSTEM)

    upgrade(values)
    with TrainingSandbox.attach("orphan", namespace=namespace.name) as box:
        assert play(box, task_id, solution["right"]) == 1.0
    namespace.delete("orphan")
    namespace.wait_no_pods()


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
    values: Path, namespace: Namespace, another_world: Path, tmp_path: Path, solutions: Solutions
) -> None:
    changed = json.loads(values.read_text())
    changed["environments"]["appworld-mounted"] = {
        "image": changed["environments"]["appworld"]["image"],
        "slots": 4,
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "3Gi"}},
        "env": [{"name": "APPWORLD_ROOT", "value": "/world"}],
        "volumes": [
            {"name": "world", "persistentVolumeClaim": {"claimName": "world", "readOnly": True}}
        ],
        "volumeMounts": [{"name": "world", "mountPath": "/world", "readOnly": True}],
    }
    file = tmp_path / "mounted.json"
    file.write_text(json.dumps(changed))
    upgrade(file)

    theirs = json.loads((another_world / "solutions.json").read_text())
    assert set(theirs) != set(solutions)
    with TrainingSandbox(
        env_type="appworld-mounted", namespace=namespace.name, name="mounted"
    ) as box:
        task_ids = box.get_env_profile(split="train")
        assert set(task_ids) <= set(theirs)
        assert play(box, task_ids[0], theirs[task_ids[0]]["right"]) == 1.0
        assert play(box, task_ids[0], theirs[task_ids[0]]["wrong"]) < 1.0
