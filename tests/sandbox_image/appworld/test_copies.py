"""Forks of a template and of a running episode go on as the process that they are copies of."""

from collections.abc import Callable, Iterator

import pytest
from zygote import Forker, RemoteEpisode, Zygote

from training_sandbox_appworld.world.solutions import Solutions

Open = Callable[..., RemoteEpisode]
TaskOf = Callable[[str, str], str]

CHANCE = "import random\nprint(random.random(), DateTime.now())"


@pytest.fixture(scope="module")
def task_id(task_of: TaskOf) -> str:
    return task_of("send_money", "dev")


@pytest.fixture(scope="module")
def template(zygote: Zygote, task_id: str) -> Iterator[Forker]:
    template = zygote.template(task_id)
    yield template
    template.close()


def test_an_episode_of_a_template_is_one_of_the_zygote(
    open_episode: Open, template: Forker, solutions: dict[str, Solutions], task_id: str
) -> None:
    codes = (CHANCE, *solutions[task_id].wrong)
    expected, episode = open_episode(task_id), template.open(task_id, jailed=True)
    assert episode.messages == expected.messages
    assert episode.run(*codes) == expected.run(*codes)
    assert episode.save() == expected.save()
    assert episode.evaluate() == expected.evaluate()


def test_episodes_of_a_template_never_touch(
    template: Forker, solutions: dict[str, Solutions], task_id: str
) -> None:
    first, second = template.open(task_id), template.open(task_id)
    for right, wrong in zip(solutions[task_id].right, solutions[task_id].wrong, strict=True):
        first.run(right)
        second.run(wrong)
    assert first.evaluate() == 1.0
    assert second.evaluate() < 1.0
    assert template.open(task_id).evaluate() < 1.0


@pytest.mark.parametrize("kind", ["right", "wrong"])
def test_evaluation_in_a_template_is_that_in_the_zygote(
    open_episode: Open,
    zygote: Zygote,
    solutions: dict[str, Solutions],
    kind: str,
    task_of: TaskOf,
) -> None:
    for family in ("like_playlist", "total_sent", "add_note"):
        of_task = task_of(family, "dev")
        template = zygote.template(of_task)
        episode = open_episode(of_task)
        episode.run(*getattr(solutions[of_task], kind))
        state = episode.save()
        assert template.evaluate(of_task, state) == zygote.evaluate(of_task, state)
        template.close()


def test_a_branch_goes_on_as_its_episode(
    open_episode: Open, solutions: dict[str, Solutions], task_id: str
) -> None:
    episode = open_episode(task_id, jailed=False)
    before, after = solutions[task_id].right[:2], solutions[task_id].right[2:]
    episode.run(*before)
    branch = episode.fork()
    assert branch.run(CHANCE, *after) == episode.run(CHANCE, *after)
    assert branch.save() == episode.save()
    assert branch.evaluate() == episode.evaluate() == 1.0


def test_branches_of_branches_never_touch(
    open_episode: Open, solutions: dict[str, Solutions], task_id: str
) -> None:
    episode = open_episode(task_id, jailed=False)
    *before, money, complete = solutions[task_id].right
    episode.run(*before)
    branch = episode.fork()
    branch.run(money)
    branch_of_branch = branch.fork()
    branch_of_branch.run(complete)
    assert branch_of_branch.evaluate() == 1.0
    assert branch.evaluate() < 1.0
    assert episode.evaluate() < branch.evaluate()
    assert "NameError" in episode.run("print(no_such_name)")[0]
