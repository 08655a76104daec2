"""Groups, branches and the jail, in the pod as the operator makes it."""

from __future__ import annotations

from tests.e2e.conftest import Solutions
from tests.e2e.support.play import action
from training_sandbox import Episode, TrainingSandbox


def finish(episode: Episode, codes: list[str]) -> float | None:
    """Execute the rest of a solution; returns the reward of its last step."""
    for code in codes:
        episode.step(action(code))
    return episode.reward


def test_the_jail_is_whole_in_the_hardened_pod(sandbox: TrainingSandbox) -> None:
    confinement = sandbox.status()["confinement"]
    assert confinement is not None
    assert confinement["missing"] == []
    assert confinement["fork_gate"]


def test_a_group_of_one_task_is_scored_apart(
    sandbox: TrainingSandbox, solutions: Solutions
) -> None:
    task_id, solution = next(iter(solutions.items()))
    with sandbox.create_group(task_id, 4) as group:
        right = [finish(episode, solution["right"]) for episode in group[:2]]
        wrong = [finish(episode, solution["wrong"]) for episode in group[2:]]
    assert right == [1.0, 1.0]
    assert all(reward is not None and reward < 1.0 for reward in wrong)


def test_branches_of_a_running_episode_each_finish_the_task(
    sandbox: TrainingSandbox, solutions: Solutions
) -> None:
    task_id, solution = next(iter(solutions.items()))
    first, *rest = solution["right"]
    with sandbox.episode(task_id) as episode:
        episode.step(action(first))
        with episode.fork(2, reseed=True) as branches:
            assert [finish(branch, rest) for branch in branches] == [1.0, 1.0]
        assert episode.evaluate() < 1.0


def test_agent_code_reads_no_ground_truth_in_the_pod(
    sandbox: TrainingSandbox, solutions: Solutions
) -> None:
    task_id = next(iter(solutions))
    truth = f"/opt/world/data/tasks/{task_id}/ground_truth/answer.json"
    with sandbox.episode(task_id) as episode:
        read = f"from pathlib import Path\nprint(Path({truth!r}).read_text())"
        answer = episode.step(action(read))
    assert "PermissionError" in (answer["state"][0]["content"] or "")
