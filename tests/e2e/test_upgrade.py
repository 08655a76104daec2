"""The chart is upgraded while episodes are played: other operators go on, none is lost."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from examples.demo import Rollout, known_examples, play
from tests.e2e.conftest import Solutions
from tests.e2e.support.cluster import Namespace, kubectl, wait_until
from tests.e2e.support.play import action
from tests.e2e.support.release import CHART, leader, operator_pods, upgrade
from training_sandbox import TrainingSandbox

pytestmark = pytest.mark.alone

TASK = "multi_turn_base_0"
FIELD = "ofTheNextRelease"
CALL = {
    "role": "assistant",
    "content": '<tool_call>{"name": "pwd", "arguments": {}}</tool_call>',
}
"""It ends no turn, however often it is made."""

Work = Callable[[threading.Event], int]
"""Does something until the event is set, and returns how often."""


@pytest.fixture
def next_chart(tmp_path: Path) -> Path:
    """This chart, as a next release could be: its CRDs have another field."""
    chart = tmp_path / "training-sandbox"
    shutil.copytree(CHART, chart)
    for path in (chart / "files" / "crds").glob("*.yaml"):
        crd = yaml.safe_load(path.read_text())
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        schema["properties"]["spec"]["properties"][FIELD] = {"type": "string"}
        path.write_text(yaml.safe_dump(crd))
    return chart


@contextmanager
def all_the_while(works: Sequence[Work]) -> Iterator[list[int]]:
    """Do the works until the block ends, then give their numbers."""
    done, counts = threading.Event(), list[int]()
    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(work, done) for work in works]
        try:
            yield counts
        finally:
            done.set()
        counts.extend(one.result() for one in running)


def play_once(box: TrainingSandbox, rollouts: Sequence[Rollout]) -> None:
    """Play each of them; whatever goes wrong, a reward too, is raised."""
    for rollout in rollouts:
        reward = play(box, rollout)
        assert rollout.is_expected(reward), (rollout.task_id, rollout.right, reward)


def play_until(done: threading.Event, box: TrainingSandbox, rollouts: Sequence[Rollout]) -> int:
    """Play one episode after the other."""
    played = 0
    while not done.is_set():
        play_once(box, rollouts)
        played += len(rollouts)
    return played


def one_long_episode(done: threading.Event, box: TrainingSandbox) -> int:
    """Play one episode from before the upgrade to after it."""
    episode = box.create_instance(task_id=TASK)["info"]["instance_id"]
    steps = 0
    while not done.wait(0.5):
        assert not box.step(episode, CALL)["is_terminated"]
        steps += 1
    assert "/workspace" in str(box.step(episode, CALL)["state"])
    box.release_instance(episode)
    return steps


def instances_until(
    done: threading.Event, namespace: Namespace, rollouts: Sequence[Rollout]
) -> int:
    """Have one instance after the other: create, play, delete."""
    had = 0
    while not done.is_set():
        with TrainingSandbox(env_type="bfcl", namespace=namespace.name, name=f"new-{had}") as box:
            play_once(box, rollouts)
        had += 1
    return had


def claims_until(done: threading.Event, namespace: Namespace, rollouts: Sequence[Rollout]) -> int:
    """Have one instance after the other from the pool: claim, play, delete."""
    had = 0
    while not done.is_set():
        name = f"claim-{had}"
        namespace.apply(name, poolRef={"name": "warm"})
        with TrainingSandbox.attach(name, namespace=namespace.name) as box:
            play_once(box, rollouts)
        namespace.delete(name)
        had += 1
    return had


def replace_operators(values: Path, chart: Path = CHART) -> None:
    """Upgrade to values that are others to the operators, and wait until those before are gone."""
    former = operator_pods()
    upgrade(values, chart)
    wait_until("the former operators are gone", lambda: former.isdisjoint(operator_pods()))
    wait_until("another one leads", lambda: leader() in operator_pods() - former)


def knows_the_field() -> bool:
    return FIELD in kubectl("explain", f"ti.spec.{FIELD}", check=False).partition("error")[0]


@pytest.fixture
def steady(namespace: Namespace) -> Iterator[TrainingSandbox]:
    with TrainingSandbox(env_type="bfcl", namespace=namespace.name, name="steady") as box:
        yield box


@pytest.fixture
def rollouts(steady: TrainingSandbox, namespace: Namespace) -> Sequence[Rollout]:
    """A right and a wrong way to play a task."""
    pod = namespace.status("steady")["podName"]
    known = known_examples("bfcl", pod, "--namespace", namespace.name)[TASK]
    return [Rollout(TASK, "steady", known[way], right=way == "right") for way in ("right", "wrong")]


@pytest.fixture
def works(
    namespace: Namespace, steady: TrainingSandbox, rollouts: Sequence[Rollout]
) -> Iterator[list[Work]]:
    """Episodes short and long of one instance, and of many, which are cold or from a pool."""
    namespace.apply_pool("warm", replicas=2, slots=1)
    namespace.wait_warm("warm", 2)
    yield [
        lambda done: play_until(done, steady, rollouts),
        lambda done: one_long_episode(done, steady),
        lambda done: instances_until(done, namespace, rollouts),
        lambda done: claims_until(done, namespace, rollouts),
    ]
    kubectl("delete", "tpool", "warm", "--namespace", namespace.name)


def test_two_upgrades_under_load_replace_the_operators_and_lose_no_episode(
    values: Path,
    values_with: Callable[..., Path],
    next_chart: Path,
    namespace: Namespace,
    works: list[Work],
) -> None:
    before = namespace.status("steady")
    with all_the_while(works) as counts:
        replace_operators(values_with(logLevel="debug"), next_chart)
        wait_until("the API server has the next CRDs", knows_the_field)
        replace_operators(values)
        wait_until("it has the former ones", lambda: not knows_the_field())
    assert all(counts)
    after = namespace.status("steady")
    assert (after["podUID"], after["incarnation"]) == (before["podUID"], before["incarnation"])


def test_an_episode_that_a_release_without_tokens_began_is_played_on_to_its_reward(
    solutions: Solutions,
    values: Path,
    values_with: Callable[..., Path],
    namespace: Namespace,
) -> None:
    task_id, solution = next(iter(solutions.items()))
    first, *rest = solution["right"]
    replace_operators(values_with(auth={"enabled": False}))
    with TrainingSandbox(env_type="appworld", namespace=namespace.name, name="open") as box:
        episode = box.create_instance(task_id=task_id)["info"]["instance_id"]
        box.step(episode, action(first))
        before = namespace.status("open")
        assert "tokenSecret" not in before

        replace_operators(values)

        answers = [box.step(episode, action(code)) for code in rest]
        assert (answers[-1]["is_terminated"], answers[-1]["reward"]) == (True, 1.0)
        assert box.evaluate(episode) == 1.0
        after = namespace.status("open")
        assert (after["phase"], after["podUID"]) == ("Ready", before["podUID"])
        assert "tokenSecret" not in after
    namespace.wait_no_pods()
