from collections.abc import Callable

import pytest
from zygote import RemoteEpisode

from training_sandbox_appworld.data import SPLITS
from training_sandbox_appworld.world.families import FAMILIES
from training_sandbox_appworld.world.solutions import Solutions

Open = Callable[..., RemoteEpisode]
TaskOf = Callable[[str, str], str]

every_task = pytest.mark.parametrize(
    ("family", "split"), [(family, split) for split in SPLITS for family in FAMILIES]
)


@every_task
def test_the_right_solution_scores_one(
    open_episode: Open,
    task_of: TaskOf,
    solutions: dict[str, Solutions],
    family: str,
    split: str,
) -> None:
    task_id = task_of(family, split)
    episode = open_episode(task_id)
    episode.run(*solutions[task_id].right)
    assert episode.terminated
    assert episode.evaluate() == 1.0


@every_task
def test_the_wrong_solution_completes_the_task_and_scores_less(
    open_episode: Open,
    task_of: TaskOf,
    solutions: dict[str, Solutions],
    family: str,
    split: str,
) -> None:
    task_id = task_of(family, split)
    episode = open_episode(task_id)
    episode.run(*solutions[task_id].wrong)
    assert episode.terminated
    assert 0.0 < episode.evaluate() < 1.0


@pytest.mark.parametrize(("kind", "reward"), [("right", 1.0), ("wrong", 0.0)])
def test_a_sparse_reward_is_all_or_nothing(
    open_episode: Open,
    task_of: TaskOf,
    solutions: dict[str, Solutions],
    kind: str,
    reward: float,
) -> None:
    task_id = task_of("birthday", "train")
    episode = open_episode(task_id)
    episode.run(*getattr(solutions[task_id], kind))
    assert episode.evaluate(sparse=True) == reward
