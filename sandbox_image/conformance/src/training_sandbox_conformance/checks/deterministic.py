"""The same again gives the same again."""

import json
from collections.abc import Sequence

from training_sandbox_conformance.installed import Example, Message
from training_sandbox_conformance.playing import Played, Playing, require_same
from training_sandbox_conformance.served import Served
from training_sandbox_conformance.subject import Check, Subject, require


def run(subject: Subject) -> None:
    """Play each example in fresh episodes, in a group, from a trajectory, and on a new server."""
    served = subject.served
    for example in subject.examples:
        for right in (True, False):
            _require_same_again(subject, example, right=right)
        _require_same_from_trajectory(served, example, subject.alone(example, right=True))
    with subject.serve_anew() as other:
        for example in subject.examples:
            again = Playing.begin(other, example.task_id, example.right).end()
            require_same(subject.alone(example, right=True), again, "on a server started anew")


def _require_same_again(subject: Subject, example: Example, *, right: bool) -> None:
    served, task_id = subject.served, example.task_id
    messages = example.right if right else example.wrong
    expected = subject.alone(example, right=right)
    require_same(expected, Playing.begin(served, task_id, messages).end(), "played once more")
    group = [Playing(served, task_id, begun, messages) for begun in served.create_group(task_id, 2)]
    for member in group:
        require_same(expected, member.end(), "played in a group")


def _require_same_from_trajectory(served: Served, example: Example, expected: Played) -> None:
    """Send the actions of a trajectory; what it recorded must be observed again."""
    first = Playing.begin(served, example.task_id, example.right).steps(len(example.right))
    lines = [json.loads(line) for line in served.trajectory(first.id).splitlines()]
    served.release(first.id)
    steps = [line for line in lines if line["type"] == "step"]
    actions: Sequence[Message] = [step["action"] for step in steps]
    replayed = Playing.begin(served, example.task_id, actions).end()
    require_same(expected, replayed, "replayed from its trajectory")
    recorded = [[step["observation"]] for step in steps]
    observed = [step.observation for step in replayed.steps]
    require(recorded == observed, f"task {example.task_id}: the trajectory differs from its replay")


CHECK = Check(
    name="deterministic",
    promise="The same messages give the same observations and reward, on any server",
    remedy="Let nothing depend on time, process ids, addresses or the order of a set, and seed "
    "what is random from the task (random.seed(task.id) in Environment.open).",
    run=run,
)
