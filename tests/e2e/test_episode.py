"""From `kubectl apply` to a reward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import Solutions
from tests.e2e.support.cluster import Namespace
from tests.e2e.support.play import action, play
from training_sandbox import EpisodeReleased, TrainingSandbox


@pytest.fixture
def families(solutions: Solutions) -> dict[str, str]:
    """One task of each family."""
    return {solution["family"]: task_id for task_id, solution in solutions.items()}


def test_the_right_solution_of_every_family_is_rewarded_with_one(
    sandbox: TrainingSandbox, solutions: Solutions, families: dict[str, str]
) -> None:
    rewards = {
        family: play(sandbox, task_id, solutions[task_id]["right"])
        for family, task_id in families.items()
    }
    assert rewards == dict.fromkeys(families, 1.0)
    assert len(families) >= 6


def test_a_wrong_solution_is_rewarded_with_less_than_one(
    sandbox: TrainingSandbox, solutions: Solutions, families: dict[str, str]
) -> None:
    for family, task_id in families.items():
        assert play(sandbox, task_id, solutions[task_id]["wrong"]) < 1.0, family


def test_a_released_episode_takes_no_more_steps(
    sandbox: TrainingSandbox, solutions: Solutions
) -> None:
    task_id = next(iter(solutions))
    instance_id = sandbox.create_instance(task_id=task_id)["info"]["instance_id"]
    assert sandbox.release_instance(instance_id)
    with pytest.raises(EpisodeReleased):
        sandbox.step(instance_id, action("print(1)"))


def test_an_instance_applied_with_kubectl_is_played_by_the_client(
    namespace: Namespace, solutions: Solutions
) -> None:
    task_id, solution = next(iter(solutions.items()))
    namespace.apply("by-hand", envType="appworld", slots=2)
    status = namespace.wait_phase("by-hand", "Ready")
    assert status["endpoint"] == f"http://{namespace.pod_of('by-hand').status.podIP}:8000"
    with TrainingSandbox.attach("by-hand", namespace=namespace.name) as box:
        assert play(box, task_id, solution["right"]) == 1.0
    assert namespace.instance("by-hand") is not None


def test_an_instance_with_a_task_opens_its_episode_and_is_finished_when_that_ends(
    namespace: Namespace, solutions: Solutions
) -> None:
    task_id, solution = next(iter(solutions.items()))
    with TrainingSandbox(
        env_type="appworld",
        namespace=namespace.name,
        name="bound",
        task_id=task_id,
        ttl_seconds_after_finished=120,
    ) as box:
        created = box.create_instance(task_id=task_id, instance_id="bound")
        assert [message["role"] for message in created["state"]] == ["system", "user"]
        answers = [box.step("bound", action(code)) for code in solution["right"]]
        assert answers[-1]["reward"] == 1.0

        status = namespace.wait_phase("bound", "Finished", seconds=30)
        finished = namespace.condition("bound", "Finished")
        assert finished["status"] == "True"
        assert finished["message"].endswith("with reward 1")
        assert status["task"]["reward"] == 1.0
        # It stays to be read.
        assert box.evaluate("bound") == 1.0
    namespace.wait_gone("bound")
    namespace.wait_no_pods()


def test_parameters_of_the_spec_reach_the_environment(
    namespace: Namespace, solutions: Solutions
) -> None:
    """AppWorld's `simple` turns off the frame around an observation."""
    task_id = next(iter(solutions))
    with TrainingSandbox(
        env_type="appworld",
        namespace=namespace.name,
        name="simple",
        task_id=task_id,
        params={"simple": True},
    ) as box:
        answer = box.step("simple", action("print(6 * 7)"))
        assert answer["state"][0]["content"].strip() == "42"


@pytest.mark.parametrize(
    ("leave", "error"),
    [
        pytest.param(lambda: None, None, id="normally"),
        pytest.param(lambda: 1 / 0, ZeroDivisionError, id="by-an-exception"),
    ],
)
def test_the_client_deletes_its_instance_when_it_leaves(
    namespace: Namespace, leave: Callable[[], Any], error: type[Exception] | None
) -> None:
    def visit() -> None:
        with TrainingSandbox(env_type="bfcl", namespace=namespace.name, name="visit") as box:
            box.get_env_profile(split="train")
            assert namespace.instance("visit") is not None
            leave()

    if error is None:
        visit()
    else:
        with pytest.raises(error):
            visit()
    namespace.wait_gone("visit")
    namespace.wait_no_pods()
