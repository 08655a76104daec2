"""How much memory is left, in the container or on the machine."""

from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def total_bytes() -> int:
    """The memory of the container, or of the machine where the container has no limit."""
    return _number(_CGROUP / "memory.max") or _of_machine()["MemTotal"]


def free_share() -> float:
    """The share of the memory that can still be had, 0.0 to 1.0."""
    limit = _number(_CGROUP / "memory.max")
    if limit is None:
        sizes = _of_machine()
        return sizes["MemAvailable"] / sizes["MemTotal"]
    used = (_number(_CGROUP / "memory.current") or 0) - _reclaimable()
    return max(0.0, 1 - used / limit)


def _reclaimable() -> int:
    """The page cache that the kernel gives back before it is short of memory."""
    for line in (_CGROUP / "memory.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file":
            return int(value)
    return 0


def _of_machine() -> dict[str, int]:
    sizes: dict[str, int] = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        sizes[name] = int(value.split()[0]) * 1024
    return sizes


def _number(path: Path) -> int | None:
    """The number in a file; None if there is none, or "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
