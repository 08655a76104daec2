"""How much memory is left, in the container or on the machine."""

import os
from dataclasses import dataclass
from pathlib import Path

CONTROL_GROUP = Path("/sys/fs/cgroup")
"""In a container: its own control group's files, those of v1 in a folder `memory`."""


@dataclass(frozen=True, slots=True)
class Memory:
    """How memory stands.

    Attributes:
        total_bytes: What the container may have; what the machine has if that is less.
        free_bytes: What can still be had of it, the page cache included.
        of_container: Whether it is the container's, which the kernel ends when it wants more.
    """

    total_bytes: int
    free_bytes: int
    of_container: bool

    @property
    def free_share(self) -> float:
        """The share that can still be had, 0.0 to 1.0."""
        return max(0.0, self.free_bytes / self.total_bytes)


@dataclass(frozen=True, slots=True)
class _Version:
    """Where a version of control groups says what."""

    limit: str
    used: str
    statistics: str
    page_cache: tuple[str, ...]


# The kernel gives back all of the page cache before it kills: both of its lists count as free.
_VERSIONS = (
    _Version("memory.max", "memory.current", "memory.stat", ("inactive_file", "active_file")),
    _Version(
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        ("total_inactive_file", "total_active_file"),
    ),
)


def read(control_group: Path = CONTROL_GROUP) -> Memory:
    """How memory stands now.

    Args:
        control_group: The folder of the container's control group, v2 or v1.
    """
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for version in _VERSIONS:
        limit = _number(control_group / version.limit)
        # v1 says "no limit" by a number that no machine has.
        if limit and limit <= machine:
            used = _number(control_group / version.used) or 0
            statistics = _numbers(control_group / version.statistics)
            cache = sum(statistics.get(name, 0) for name in version.page_cache)
            return Memory(limit, limit - used + cache, of_container=True)
    available = _numbers(Path("/proc/meminfo"))["MemAvailable:"] * 1024
    return Memory(machine, available, of_container=False)


def _number(path: Path) -> int | None:
    """The number in a file; None if there is none, or "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _numbers(path: Path) -> dict[str, int]:
    """The numbers of a file of lines `name number …`."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {name: int(number) for name, number, *_ in lines}
