"""The cases, and how they are run: many at once, for most of their time is waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from tests.faults.support.trial import Rig

_AT_ONCE = 6


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        run: raises AssertionError.
        is_alone: it does something to all namespaces.
        is_slow: it waits for long, and so is begun first.
    """

    name: str
    run: Callable[[Rig], Awaitable[None]]
    is_alone: bool
    is_slow: bool

    @property
    def order(self) -> tuple[bool, bool]:
        return self.is_alone, not self.is_slow


CASES: dict[str, Case] = {}


def case(
    name: str, *, is_alone: bool = False, is_slow: bool = False
) -> Callable[[Callable[[Rig], Awaitable[None]]], Callable[[Rig], Awaitable[None]]]:
    """Make a function the case of this name."""

    def register(run: Callable[[Rig], Awaitable[None]]) -> Callable[[Rig], Awaitable[None]]:
        assert name not in CASES
        CASES[name] = Case(name, run, is_alone, is_slow)
        return run

    return register


class Campaign:
    """Cases under way; those that must be alone begin when the others have ended."""

    def __init__(self, rig: Rig, names: Iterable[str]) -> None:
        self._rig = rig
        self._limit = asyncio.Semaphore(_AT_ONCE)
        chosen = [CASES[name] for name in names]
        self._tasks: dict[str, asyncio.Task[None]] = {}
        for one in sorted(chosen, key=lambda one: one.order):
            before = list(self._tasks.values()) if one.is_alone else []
            self._tasks[one.name] = asyncio.create_task(self._run(one, before), name=one.name)

    async def result(self, name: str) -> None:
        """Wait for a case; raises what it has raised."""
        await self._tasks[name]

    async def end(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, one: Case, before: list[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        async with self._limit:
            await one.run(self._rig)
