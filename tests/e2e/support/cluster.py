"""What the e2e tests need of the cluster: kubectl, typed lookups, and waiting."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from lightkube import Client
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import GenericNamespacedResource, create_namespaced_resource
from lightkube.resources.core_v1 import Pod, Secret
from lightkube.types import PatchType

REPOSITORY = Path(__file__).resolve().parents[3]
TrainingInstance = create_namespaced_resource(
    "trainingsandbox.dev", "v1alpha1", "TrainingInstance", "traininginstances"
)
TrainingPool = create_namespaced_resource(
    "trainingsandbox.dev", "v1alpha1", "TrainingPool", "trainingpools"
)

T = TypeVar("T")


def run(*command: str, stdin: str | None = None, check: bool = True) -> str:
    """Runs a command and returns what it printed; a failure shows its error output."""
    result = subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    if check and result.returncode != 0:
        raise AssertionError(
            f"{' '.join(command)} exited with {result.returncode}:\n{result.stdout}{result.stderr}"
        )
    return result.stdout if check else result.stdout + result.stderr


def kubectl(*arguments: str, stdin: str | None = None, check: bool = True) -> str:
    return run("kubectl", *arguments, stdin=stdin, check=check)


def wait_until(what: str, probe: Callable[[], T | None], *, seconds: float = 120) -> T:
    """Polls until the probe gives something, and says what was awaited when it never does."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}; last seen: {found!r}")
        time.sleep(0.1)


def timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


class Namespace:
    """One test's namespace, with the questions that tests ask about it."""

    def __init__(self, name: str, client: Client) -> None:
        self.name = name
        self.client = client

    def apply(self, name: str, **spec: Any) -> None:
        """Applies an instance; of BFCL, which boots in a second, where it does not matter."""
        self._apply("TrainingInstance", name, spec)

    def apply_pool(self, name: str, **spec: Any) -> None:
        """Applies a pool, of BFCL where it does not matter."""
        self._apply("TrainingPool", name, spec)

    def _apply(self, kind: str, name: str, spec: dict[str, Any]) -> None:
        manifest = {
            "apiVersion": "trainingsandbox.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "namespace": self.name},
            "spec": {"envType": "bfcl", **spec},
        }
        kubectl("apply", "--filename", "-", stdin=json.dumps(manifest))

    def patch(self, name: str, **spec: Any) -> None:
        self.client.patch(
            TrainingInstance,
            name,
            {"spec": spec},
            namespace=self.name,
            patch_type=PatchType.MERGE,
        )

    def delete(self, name: str) -> None:
        self.client.delete(TrainingInstance, name, namespace=self.name)

    def instance(self, name: str) -> GenericNamespacedResource | None:
        try:
            return self.client.get(TrainingInstance, name, namespace=self.name)
        except ApiError as error:
            if error.status.code == 404:
                return None
            raise

    def status(self, name: str) -> dict[str, Any]:
        instance = self.instance(name)
        return dict(instance.get("status") or {}) if instance else {}

    def condition(self, name: str, type_: str) -> dict[str, Any]:
        for condition in self.status(name).get("conditions", []):
            if condition["type"] == type_:
                return condition
        return {}

    def pool_status(self, name: str) -> dict[str, Any]:
        pool = self.client.get(TrainingPool, name, namespace=self.name)
        return dict(pool.get("status") or {})

    def wait_warm(self, name: str, pods: int) -> None:
        """Waits until the pool has so many warm pods, all of them ready."""

        def is_full() -> bool:
            status = self.pool_status(name)
            return (status.get("readyReplicas"), status.get("replicas")) == (pods, pods)

        wait_until(f"{name} has {pods} pods, all ready", is_full, seconds=240)

    def secret(self, name: str) -> Secret | None:
        try:
            return self.client.get(Secret, name, namespace=self.name)
        except ApiError as error:
            if error.status.code == 404:
                return None
            raise

    def token_of(self, name: str) -> str:
        """Returns what the server of a Ready instance is to be called with."""
        secret = self.secret(self.status(name)["tokenSecret"])
        assert secret is not None
        assert secret.data
        return base64.b64decode(secret.data["token"]).decode()

    def pods(self) -> list[Pod]:
        return list(self.client.list(Pod, namespace=self.name))

    def pod_of(self, name: str) -> Pod:
        return self.client.get(Pod, self.status(name)["podName"], namespace=self.name)

    def events(self, name: str) -> list[dict[str, Any]]:
        answer = kubectl("get", "events", "--namespace", self.name, "--output", "json")
        return [
            event
            for event in json.loads(answer)["items"]
            if event["involvedObject"]["kind"] == "TrainingInstance"
            and event["involvedObject"]["name"] == name
        ]

    def wait_phase(self, name: str, phase: str, *, seconds: float = 180) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            status = self.status(name)
            return status if status.get("phase") == phase else None

        try:
            return wait_until(f"{name} is {phase}", reached, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; status: {json.dumps(self.status(name))}") from None

    def wait_ready_condition(
        self, name: str, reason: str, *, seconds: float = 120
    ) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            condition = self.condition(name, "Ready")
            return condition if condition.get("reason") == reason else None

        try:
            return wait_until(f"{name} has reason {reason}", reached, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; status: {json.dumps(self.status(name))}") from None

    def wait_gone(self, name: str, *, seconds: float = 120) -> datetime:
        """Waits until the instance is gone; returns when that was seen."""
        wait_until(f"{name} is gone", lambda: self.instance(name) is None, seconds=seconds)
        return datetime.now(UTC)

    def wait_no_pods(self, *, seconds: float = 90) -> None:
        wait_until(f"no pod is left in {self.name}", lambda: not self.pods(), seconds=seconds)


@contextmanager
def own_namespace(client: Client, prefix: str = "e2e") -> Generator[Namespace]:
    """A new namespace, which is deleted afterwards with all that is in it."""
    name = f"{prefix}-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield Namespace(name, client)
    kubectl("delete", "namespace", name, "--wait=false")


def cluster_command(name: str) -> str:
    """Path of one of the commands of tests/cluster."""
    return os.fspath(REPOSITORY / "tests" / "cluster" / name)
