"""Eight rollouts of an environment over two instances, half of them right and half of them wrong.

Run by `make demo` with the operator installed (ENV=appworld, bfcl, webshop or all). It exits with 1
when a reward is not what it should be, or when the short-lived instance is not collected in time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from training_sandbox import TrainingSandbox
from training_sandbox_conformance import tell

EXAMPLES = Path(__file__).parent
ENVIRONMENTS = ("appworld", "bfcl", "webshop")
SHORT_LIVED = "short-lived"
console = Console(width=None if sys.stdout.isatty() else 110)


@dataclass(frozen=True)
class Rollout:
    """One task, the messages to play it with, and what reward that should bring."""

    task_id: str
    instance: str
    messages: Sequence[dict[str, Any]]
    right: bool

    @property
    def expected(self) -> str:
        return "1.0" if self.right else "below 1.0"

    def is_expected(self, reward: float) -> bool:
        return reward == 1.0 if self.right else 0.0 <= reward < 1.0


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    return subprocess.run(
        ["kubectl", *arguments], check=True, stdout=subprocess.PIPE, text=True, input=stdin
    ).stdout


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Applies a manifest of the examples, and deletes what is left of it."""
    kubectl("delete", "traininginstance", name, "--ignore-not-found")
    command = f"kubectl apply --filename examples/{name}.yaml"
    console.print(f"$ {command}", style="bold")
    console.print(kubectl("apply", "--filename", str(EXAMPLES / f"{name}.yaml")).strip())
    try:
        yield
    finally:
        kubectl("delete", "traininginstance", name, "--ignore-not-found", "--wait=false")


def known_examples(env_type: str, pod: str, *options: str) -> dict[str, dict[str, Any]]:
    """Every task of which the environment in a pod knows a right and a wrong way to play it."""
    command = ["/opt/environment/bin/python", "-P", "-", "examples", env_type]
    program = Path(tell.__file__).read_text()
    told = kubectl("exec", "--stdin", *options, pod, "--", *command, stdin=program)
    return {example["task_id"]: example for example in json.loads(told)}


def plan_rollouts(
    task_ids: Sequence[str], examples: dict[str, dict[str, Any]], instances: Sequence[str]
) -> list[Rollout]:
    """Four tasks, each played right in one instance and wrong in the other."""
    known = [task_id for task_id in task_ids if task_id in examples]
    step = max(1, len(known) // 4)
    return [
        Rollout(
            task_id,
            instances[(number + right) % len(instances)],
            examples[task_id]["right" if right else "wrong"],
            right,
        )
        for number, task_id in enumerate(known[: 4 * step : step])
        for right in (True, False)
    ]


def play(sandbox: TrainingSandbox, rollout: Rollout) -> float:
    instance_id = sandbox.create_instance(task_id=rollout.task_id)["info"]["instance_id"]
    try:
        for message in rollout.messages:
            sandbox.step(instance_id, message)
        return sandbox.evaluate(instance_id)
    finally:
        sandbox.release_instance(instance_id)


def play_all(sandboxes: dict[str, TrainingSandbox], rollouts: Sequence[Rollout]) -> list[float]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(8) as threads:
        bar = progress.add_task("Playing rollouts", total=len(rollouts))

        def play_one(rollout: Rollout) -> float:
            reward = play(sandboxes[rollout.instance], rollout)
            progress.advance(bar)
            return reward

        return list(threads.map(play_one, rollouts))


def show_rewards(rollouts: Sequence[Rollout], rewards: Sequence[float]) -> bool:
    table = Table("task", "instance", "steps", "reward", "expected", "")
    for rollout, reward in zip(rollouts, rewards, strict=True):
        table.add_row(
            rollout.task_id,
            rollout.instance,
            str(len(rollout.messages)),
            f"{reward:.3f}",
            rollout.expected,
            "ok" if rollout.is_expected(reward) else "WRONG",
        )
    console.print(table)
    return all(r.is_expected(reward) for r, reward in zip(rollouts, rewards, strict=True))


def watch_collection(name: str, patience_seconds: float = 60) -> bool:
    """Waits until the instance is collected on its time to live, and says how late that was."""
    get = ["get", "traininginstance", name, "--ignore-not-found", "--output"]
    while not (expires_at := kubectl(*get, "jsonpath={.status.expiresAt}")):
        time.sleep(0.1)
    expires = datetime.fromisoformat(expires_at)
    console.print(f"Waiting for {name} to be collected at {expires_at} …")
    deadline = time.monotonic() + (expires - datetime.now(UTC)).total_seconds() + patience_seconds
    while kubectl(*get, "name"):
        if time.monotonic() > deadline:
            console.print(f"[red]{name} was not collected")
            return False
        time.sleep(0.1)
    late = (datetime.now(UTC) - expires).total_seconds()
    console.print(f"{name} was collected on its time to live, {late:.1f} s after {expires_at}")
    return True


def show(env_type: str) -> bool:
    """Plays the rollouts of one environment, and says whether all is as it should be."""
    console.rule(env_type)
    with applied(env_type):
        console.print("Waiting for two instances to be Ready …")
        with (
            TrainingSandbox.attach(env_type) as one,
            TrainingSandbox(env_type=env_type, slots=8) as other,
        ):
            assert other.name is not None
            sandboxes = {env_type: one, other.name: other}
            task_ids = one.get_env_profile(split="train")
            pod = kubectl("get", "ti", env_type, "--output", "jsonpath={.status.podName}")
            rollouts = plan_rollouts(task_ids, known_examples(env_type, pod), list(sandboxes))
            rewards = play_all(sandboxes, rollouts)
            as_expected = show_rewards(rollouts, rewards)
            with applied(SHORT_LIVED):
                console.print("$ kubectl get ti", style="bold")
                console.print(kubectl("get", "ti").strip(), soft_wrap=True)
                collected = watch_collection(SHORT_LIVED)
    return as_expected and collected


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m examples.demo", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "environment", nargs="?", default="appworld", choices=[*ENVIRONMENTS, "all"]
    )
    chosen = parser.parse_args().environment
    shown = [show(one) for one in (ENVIRONMENTS if chosen == "all" else [chosen])]
    return 0 if all(shown) else 1


if __name__ == "__main__":
    sys.exit(main())
