"""The places of questions: few at once, and namespaces do not take them from each other."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from training_sandbox_operator.control.places import Places


class Guests:
    """Those who want a place: each stays until it is sent away."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.tasks: list[asyncio.Task[None]] = []
        self.seated: list[str] = []
        self._ends: dict[str, list[asyncio.Event]] = {}

    async def come(self, group: str, count: int = 1) -> None:
        for _ in range(count):
            self.tasks.append(asyncio.create_task(self._stay(group)))
        await _settle()

    async def go(self, group: str, count: int = 1) -> None:
        for _ in range(count):
            self._ends[group].pop(0).set()
        await _settle()

    @property
    def by_group(self) -> Counter[str]:
        return Counter({group: len(ends) for group, ends in self._ends.items() if ends})

    async def _stay(self, group: str) -> None:
        async with self._places.take(group):
            self.seated.append(group)
            end = asyncio.Event()
            self._ends.setdefault(group, []).append(end)
            await end.wait()


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def guests() -> AsyncIterator[Guests]:
    guests = Guests(Places(12))
    yield guests
    for task in guests.tasks:
        task.cancel()
    await asyncio.gather(*guests.tasks, return_exceptions=True)


async def test_one_group_gets_half_of_the_places_and_two_a_third_each(guests: Guests) -> None:
    await guests.come("a", 100)
    assert guests.by_group == {"a": 6}
    await guests.come("b", 100)
    await guests.go("a", 6)
    assert min(guests.by_group["a"], guests.by_group["b"]) == 4


async def test_a_group_that_holds_none_finds_a_place_while_another_keeps_all_it_may(
    guests: Guests,
) -> None:
    await guests.come("large", 100)
    await guests.come("small")
    assert guests.by_group["small"] == 1


async def test_a_place_that_is_left_goes_to_a_group_that_holds_none(guests: Guests) -> None:
    for group in ("a", "b", "c", "d"):
        await guests.come(group, 100)
    assert guests.by_group == {"a": 6, "b": 3, "c": 2, "d": 1}
    await guests.come("late")
    await guests.go("a")
    assert guests.by_group == {"a": 5, "b": 3, "c": 2, "d": 1, "late": 1}


async def test_groups_come_in_turns_and_in_a_group_the_first_first() -> None:
    guests = Guests(Places(2))
    await guests.come("a")
    for group in ("b", "b", "b", "c"):
        await guests.come(group)
    for group in ("a", "b", "c"):
        await guests.go(group)
    assert guests.seated[:4] == ["a", "b", "c", "b"]
    for task in guests.tasks:
        task.cancel()


async def test_who_does_not_wait_any_more_takes_no_place(guests: Guests) -> None:
    await guests.come("a", 7)
    guests.tasks[-1].cancel()
    await guests.go("a", 6)
    assert guests.by_group == {}
    await guests.come("a", 100)
    assert guests.by_group == {"a": 6}


async def test_who_is_admitted_and_cancelled_in_the_same_moment_gives_the_place_back(
    guests: Guests,
) -> None:
    await guests.come("a", 7)
    guests._ends["a"].pop(0).set()
    await asyncio.sleep(0)
    guests.tasks[-1].cancel()
    await _settle()
    await guests.come("a", 100)
    assert guests.by_group == {"a": 6}
