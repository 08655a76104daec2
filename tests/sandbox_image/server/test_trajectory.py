"""The recorder of an episode, without an episode."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import pytest

from training_sandbox_server.trajectory import Excerpt, Trajectory

LONG = "x" * 100_000


@pytest.fixture
def trajectory(tmp_path):
    return Trajectory(tmp_path / "0.jsonl", 1_000_000)


@pytest.fixture
def branch(tmp_path):
    def _branch(parent: Trajectory) -> Trajectory:
        branch = Trajectory(tmp_path / "branch.jsonl", 1_000_000)
        branch.begin_with(parent.excerpt())
        return branch

    return _branch


async def lines(excerpt: Excerpt) -> list[dict[str, object]]:
    content = b"".join([part async for part in excerpt.read()])
    return [json.loads(line) for line in content.splitlines()]


async def until_written(trajectory: Trajectory) -> None:
    while trajectory.excerpt().latest:  # noqa: ASYNC110 (nothing tells of it)
        await asyncio.sleep(0.001)


async def test_records_are_read_in_the_order_in_which_they_were_made(trajectory):
    trajectory.record("step", index=0)
    trajectory.record("evaluation", reward=0.5)
    assert await lines(trajectory.excerpt()) == [
        {"type": "step", "index": 0},
        {"type": "evaluation", "reward": 0.5},
    ]


async def test_a_record_is_a_line_whatever_is_in_it(trajectory):
    trajectory.record("step", action="a\nb\u2028c\ud800")
    content = b"".join([part async for part in trajectory.excerpt().read()])
    assert content.count(b"\n") == 1


async def test_long_records_are_kept_on_disk(trajectory, tmp_path):
    for index in range(5):
        trajectory.record("step", index=index, observation=LONG)
    await until_written(trajectory)
    trajectory.record("step", index=5)
    read = await lines(trajectory.excerpt())
    assert [line["index"] for line in read] == list(range(6))
    assert (tmp_path / "0.jsonl").stat().st_size > 500_000


async def test_what_is_being_written_is_read_too(trajectory):
    for index in range(9):
        trajectory.record("step", index=index, observation=LONG)
        await asyncio.sleep(0)
        read = await lines(trajectory.excerpt())
        assert [line["index"] for line in read] == list(range(index + 1))


async def test_an_excerpt_does_not_change(trajectory):
    trajectory.record("step", index=0, observation=LONG)
    await until_written(trajectory)
    trajectory.record("step", index=1)
    excerpt = trajectory.excerpt()
    trajectory.record("step", index=2, observation=LONG)
    await until_written(trajectory)
    assert [line["index"] for line in await lines(excerpt)] == [0, 1]


async def test_past_its_limit_a_last_line_says_so_and_nothing_follows(trajectory):
    for index in range(20):
        trajectory.record("step", index=index, observation=LONG)
    trajectory.record("step", index=20)
    kinds = [line["type"] for line in await lines(trajectory.excerpt())]
    assert kinds == ["step"] * 9 + ["cut"]


async def test_where_nothing_can_be_written_the_trajectory_is_cut(tmp_path):
    trajectory = Trajectory(tmp_path / "no-such-folder" / "0.jsonl", 1_000_000)
    trajectory.record("step", observation=LONG)
    await until_written(trajectory)
    trajectory.record("step", index=1)
    assert await lines(trajectory.excerpt()) == [{"type": "cut"}]


class Exhausted(ThreadPoolExecutor):
    """Where no thread can be started any more."""

    def submit(self, *_: object) -> NoReturn:
        raise RuntimeError("can't start new thread")


async def test_where_no_thread_can_be_started_the_trajectory_is_cut(trajectory):
    asyncio.get_running_loop().set_default_executor(Exhausted())
    trajectory.record("step", observation=LONG)
    await until_written(trajectory)
    assert await lines(trajectory.excerpt()) == [{"type": "cut"}]


async def test_where_no_thread_can_be_started_a_file_is_removed_all_the_same(trajectory, tmp_path):
    trajectory.record("step", observation=LONG)
    await until_written(trajectory)
    asyncio.get_running_loop().set_default_executor(Exhausted())
    await trajectory.discard()
    assert not list(tmp_path.iterdir())


async def test_a_branch_has_its_parents_records_and_then_its_own(trajectory, branch):
    trajectory.record("step", index=0, observation=LONG)
    await until_written(trajectory)
    trajectory.record("step", index=1)
    branched = branch(trajectory)
    trajectory.record("step", index="the parent's")
    branched.record("step", index="the branch's")
    for it, own in ((trajectory, "the parent's"), (branched, "the branch's")):
        assert [line["index"] for line in await lines(it.excerpt())] == [0, 1, own]


async def test_a_branch_of_a_cut_trajectory_is_cut(trajectory, branch):
    for _ in range(20):
        trajectory.record("step", observation=LONG)
    assert (await lines(branch(trajectory).excerpt()))[-1] == {"type": "cut"}


async def test_a_discarded_trajectory_leaves_no_file(trajectory, tmp_path):
    trajectory.record("step", observation=LONG)
    await trajectory.discard()
    assert not list(tmp_path.iterdir())
    assert await lines(trajectory.excerpt()) == [{"type": "cut"}]


async def test_what_a_branch_shares_stays_until_the_branch_is_discarded(
    trajectory, branch, tmp_path
):
    trajectory.record("step", observation=LONG)
    await until_written(trajectory)
    branched = branch(trajectory)
    await trajectory.discard()
    assert [line["type"] for line in await lines(branched.excerpt())] == ["step"]
    await branched.discard()
    assert not list(tmp_path.iterdir())


async def test_a_trajectory_can_be_read_to_its_end_when_it_is_discarded_meanwhile(trajectory):
    for _ in range(5):
        trajectory.record("step", observation=LONG)
    await until_written(trajectory)
    reading = trajectory.excerpt().read()
    first = await anext(reading)
    await trajectory.discard()
    rest = b"".join([part async for part in reading])
    assert (first + rest).count(b"\n") == 5
