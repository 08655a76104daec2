"""What can be seen of a process from outside."""

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import psutil

_NAMESPACES = ("mnt", "net", "user", "uts", "ipc", "pid")


@dataclass(frozen=True)
class Footprint:
    """What other processes, and the process itself, must not be able to change."""

    limits: str
    oom_score: str
    scheduling: tuple[object, ...]
    namespaces: tuple[str, ...]
    root: str


def footprint(pid: int) -> Footprint | None:
    """None when the process has ended."""
    try:
        process = psutil.Process(pid)
        directory = Path(f"/proc/{pid}")
        return Footprint(
            limits=(directory / "limits").read_text(),
            oom_score=(directory / "oom_score_adj").read_text(),
            scheduling=(
                process.nice(),
                process.ionice(),
                tuple(process.cpu_affinity()),
                os.sched_getscheduler(pid),
            ),
            namespaces=tuple(os.readlink(directory / "ns" / name) for name in _NAMESPACES),
            root=os.readlink(directory / "root"),
        )
    except (OSError, psutil.Error):
        return None


def descriptors(pid: int) -> list[str]:
    """What its descriptors lead to."""
    links: list[str] = []
    for number in _listed(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/{pid}/fd/{number}"))
    return links


def bytes_of_deleted_files(pid: int) -> int:
    """What it keeps in files that have no name, memfds among them."""
    total = 0
    for number in _listed(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            path = f"/proc/{pid}/fd/{number}"
            if os.readlink(path).endswith(" (deleted)"):
                total += os.stat(path).st_blocks * 512
    return total


def threads(pid: int) -> int:
    return len(_listed(f"/proc/{pid}/task"))


def peak_memory_bytes(pid: int) -> int:
    return _number_in_status(pid, "VmHWM") * 1024


def address_space_bytes(pid: int) -> int:
    return _number_in_status(pid, "VmSize") * 1024


def tracer(pid: int) -> int:
    return _number_in_status(pid, "TracerPid")


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return True


def is_stopped(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    return False


def _number_in_status(pid: int, field: str) -> int:
    with contextlib.suppress(OSError):
        found = re.search(
            rf"^{field}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE
        )
        return int(found[1]) if found else 0
    return 0


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
