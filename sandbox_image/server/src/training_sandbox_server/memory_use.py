"""How much memory processes take."""

import asyncio
import contextlib
import os
import time
from pathlib import Path

from training_sandbox_worker import process

_LEAST_SECONDS_BETWEEN = 5.0
_MOST_SHARE_OF_A_CORE = 0.02


class MemoryUse:
    """The memory of all processes below this one, as it was a moment ago.

    It is their proportional set size: a page that is shared by n of them counts 1/n in each, so
    that the sum counts every page once. The kernel walks all their page tables for it, which takes
    seconds where there are many: it is read in a thread, only when asked for, and the longer it
    takes the more seldom.
    """

    def __init__(self) -> None:
        self._bytes: int | None = None
        self._next_reading = 0.0
        self._reading: asyncio.Task[int] | None = None

    async def latest(self) -> int:
        """The last reading in bytes; another one begins if it is time."""
        if self._reading is None and time.monotonic() >= self._next_reading:
            self._reading = asyncio.create_task(self._read())
        if self._bytes is None and self._reading is not None:
            return await asyncio.shield(self._reading)
        return self._bytes or 0

    async def _read(self) -> int:
        began = time.monotonic()
        try:
            self._bytes = await asyncio.to_thread(_pss_below, os.getpid())
        finally:
            now = time.monotonic()
            pause = (now - began) / _MOST_SHARE_OF_A_CORE
            self._next_reading = now + max(_LEAST_SECONDS_BETWEEN, pause)
            self._reading = None
        return self._bytes


def _pss_below(root: int) -> int:
    return sum(map(_pss, process.descendants(root)))


def resident_bytes(pid: int) -> int:
    """The memory that a process uses, alone or with others; 0 if it has ended."""
    with contextlib.suppress(OSError):
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


def private_bytes(pid: int) -> int:
    """The memory that only this process has, and that is free when it ends; 0 if it has ended."""
    return _mapped_bytes(pid, ("Private_Clean:", "Private_Dirty:"))


def _pss(pid: int) -> int:
    """The proportional set size of a process in bytes; 0 if it has ended."""
    return _mapped_bytes(pid, ("Pss:",))


def _mapped_bytes(pid: int, kinds: tuple[str, ...]) -> int:
    mapped = 0
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(kinds):
                mapped += int(line.split()[1]) * 1024
    return mapped
