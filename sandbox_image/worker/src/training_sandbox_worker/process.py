"""What the standard library does not say about Linux processes: parents, orphans, descendants."""

import contextlib
import os
import platform
import signal
import struct
import time
from collections import defaultdict
from pathlib import Path

from training_sandbox_worker import libc

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_SCHED_ATTR = "IIQiIQQQ"
_LONGEST_TURN_NS = 100_000_000

_set_death_signal = {
    number: libc.prepare("prctl", _PR_SET_PDEATHSIG, number, 0, 0, 0)
    for number in (signal.SIGKILL, signal.SIGTERM)
}


def die_with_parent(number: signal.Signals, parent: int) -> None:
    """Let the kernel send a signal to this process when its parent ends.

    Args:
        number: SIGKILL or SIGTERM.
        parent: The process that must still be the parent; if it ended before the request took
            effect, the signal is raised here and now.
    """
    _set_death_signal[number]()
    if os.getppid() != parent:
        signal.raise_signal(number)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (a subreaper)."""
    libc.prepare("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)()


def return_free_memory() -> None:
    """Give freed heap pages back to the kernel, where the C library can (glibc)."""
    with contextlib.suppress(AttributeError):
        libc.prepare("malloc_trim", 0)()


def take_long_turns() -> None:
    """Ask to be interrupted by other busy processes seldom: each turn begins with cold caches.

    Who waits for less than a turn, like the server, still comes first. Kernels before 6.12 ignore
    the length, and take the process for one that computes (`SCHED_BATCH`).
    """
    with contextlib.suppress(OSError):
        if _set_scheduling is not None:
            _set_scheduling()


def _prepare_long_turns() -> libc.Call | None:
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None:
        return None
    size = struct.calcsize(_SCHED_ATTR)
    attributes = struct.pack(_SCHED_ATTR, size, os.SCHED_BATCH, 0, 0, 0, _LONGEST_TURN_NS, 0, 0)
    return libc.prepare_system_call("sched_setattr", number, 0, libc.buffer(attributes), 0)


_set_scheduling = _prepare_long_turns()


def thread_names() -> list[str]:
    """The names of this process's threads, native ones included."""
    return [
        (thread / "comm").read_text().strip()
        for thread in sorted(Path("/proc/self/task").iterdir())
    ]


def count_threads(pid: int) -> int:
    """How many threads the process of a thread has; 0 when it has ended."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 (asked at every start of a thread)
    except OSError:
        return 0


def of_thread(thread: int) -> int:
    """The process of a thread; the thread's own id when it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{thread}/status").read_bytes().splitlines():
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    return thread


def parent_of(pid: int) -> int | None:
    """The parent of a process; None when it has ended."""
    try:
        return _parent_in(Path(f"/proc/{pid}/stat").read_bytes())
    except OSError:
        return None


def started(pid: int) -> int | None:
    """When a process started, in ticks; tells it from others of its id. None when it has ended."""
    try:
        return _started_in(Path(f"/proc/{pid}/stat").read_bytes())
    except OSError:
        return None


def children(parent: int) -> list[int]:
    """The direct children of a process, zombies included."""
    return _children_by_parent().get(parent, [])


def descendants(root: int) -> list[int]:
    """Every process below a process, parents before their children."""
    by_parent = _children_by_parent()
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = by_parent.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def kill_child(pid: int) -> None:
    """SIGKILL one's own child that was not waited for: until then nobody else can have its id."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def kill_descendants(seconds: float) -> bool:
    """SIGKILL and reap everything below this process.

    Args:
        seconds: How long to go on while new ones appear or killed ones have not ended.

    Returns:
        Whether none is left.
    """
    end = time.clock_gettime(time.CLOCK_MONOTONIC) + seconds
    while below := descendants(os.getpid()):
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        _reap_all()
        if time.clock_gettime(time.CLOCK_MONOTONIC) > end:
            return False
        time.sleep(0.005)
    return True


def _reap_all() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _children_by_parent() -> dict[int, list[int]]:
    by_parent: defaultdict[int, list[int]] = defaultdict(list)
    for entry in os.listdir("/proc"):  # noqa: PTH208 (a Path a process would triple the time)
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:  # noqa: PTH123 (the same)
                stat = file.read()
        except OSError:
            continue
        by_parent[_parent_in(stat)].append(int(entry))
    return by_parent


def _parent_in(stat: bytes) -> int:
    # proc_pid_stat(5): pid (comm) state ppid …; comm may itself contain parentheses.
    return int(stat[stat.rindex(b")") + 2 :].split(None, 2)[1])


def _started_in(stat: bytes) -> int:
    # The 22nd field; the third comes after comm.
    return int(stat[stat.rindex(b")") + 2 :].split()[19])
