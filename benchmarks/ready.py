"""How much later an instance is Ready than the same pod started bare.

Both are applied with kubectl, in turns, in one run, with the image on the nodes; both are timed
from before `kubectl apply` to the moment a watch shows them Ready. Needs the cluster with the
operator: `make bench-ready`. Writes build/bench/ready.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightkube import Client
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.core_v1 import Pod
from rich.console import Console
from rich.progress import track
from rich.table import Table

TrainingInstance = create_namespaced_resource(
    "trainingsandbox.dev", "v1alpha1", "TrainingInstance", "traininginstances"
)
RESULT = Path("build/bench/ready.json")


def is_ready(conditions: list[Any]) -> bool:
    return any(
        (c["type"], c["status"]) == ("Ready", "True")
        if isinstance(c, dict)
        else (c.type, c.status) == ("Ready", "True")
        for c in conditions
    )


def seconds_to_ready(
    client: Client, resource: Any, manifest: dict[str, Any], conditions: Callable[[Any], list[Any]]
) -> float:
    """Applies a manifest and waits, by a watch, until it is Ready."""
    metadata = manifest["metadata"]
    begin = time.perf_counter()
    subprocess.run(
        ["kubectl", "apply", "--filename", "-"],
        input=json.dumps(manifest),
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for _, seen in client.watch(
        resource, namespace=metadata["namespace"], fields={"metadata.name": metadata["name"]}
    ):
        if is_ready(conditions(seen)):
            return time.perf_counter() - begin
    raise RuntimeError(f"the watch ended before {metadata['name']} was Ready")


def instance_manifest(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "trainingsandbox.dev/v1alpha1",
        "kind": "TrainingInstance",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"envType": "appworld", "slots": 1},
    }


def bare_manifest(client: Client, namespace: str, pod_name: str, name: str) -> dict[str, Any]:
    """The operator's pod as somebody would apply it alone."""
    spec = client.get(Pod, pod_name, namespace=namespace).to_dict()["spec"]
    for assigned_by_the_cluster in ("nodeName", "serviceAccount", "serviceAccountName", "priority"):
        spec.pop(assigned_by_the_cluster, None)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def measure(client: Client, namespace: str, rounds: int) -> tuple[list[float], list[float]]:
    instances: list[float] = []
    bare: list[float] = []
    for number in track(range(rounds), description="Starting instances and bare pods"):
        name = f"bench-{number}"
        instances.append(
            seconds_to_ready(
                client,
                TrainingInstance,
                instance_manifest(namespace, name),
                lambda seen: (seen.get("status") or {}).get("conditions", []),
            )
        )
        pod_name = client.get(TrainingInstance, name, namespace=namespace)["status"]["podName"]
        manifest = bare_manifest(client, namespace, pod_name, f"bare-{number}")
        client.delete(TrainingInstance, name, namespace=namespace)
        subprocess.run(
            ["kubectl", "wait", "--for=delete", f"pod/{pod_name}", "--namespace", namespace],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        bare.append(
            seconds_to_ready(
                client,
                Pod,
                manifest,
                lambda seen: list((seen.status and seen.status.conditions) or []),
            )
        )
        client.delete(Pod, f"bare-{number}", namespace=namespace)
    return instances, bare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="pairs to start (default: 7)")
    rounds = parser.parse_args().rounds

    client = Client()
    namespace = f"bench-{uuid.uuid4().hex[:8]}"
    subprocess.run(
        ["kubectl", "create", "namespace", namespace], check=True, stdout=subprocess.DEVNULL
    )
    try:
        instances, bare = measure(client, namespace, rounds)
    finally:
        subprocess.run(
            ["kubectl", "delete", "namespace", namespace, "--wait=false"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    result = {
        "rounds": rounds,
        "instance_ready_s_p50": round(statistics.median(instances), 3),
        "bare_pod_ready_s_p50": round(statistics.median(bare), 3),
        "difference_s_p50": round(
            statistics.median(a - b for a, b in zip(instances, bare, strict=True)), 3
        ),
        "difference_s_max": round(max(a - b for a, b in zip(instances, bare, strict=True)), 3),
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")

    table = Table("measure", "seconds")
    for key, value in result.items():
        table.add_row(key, str(value))
    Console().print(table)


if __name__ == "__main__":
    main()
