"""Resource limits of a jailed process; what it inherited counts as given."""

import os
import resource

_OOM_SCORE_FIRST = b"1000"
_ADDITIONAL_DESCRIPTORS = 256
_NONE_AT_ALL = (
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_CORE,
    resource.RLIMIT_MEMLOCK,
    resource.RLIMIT_MSGQUEUE,
)


def be_killed_first() -> None:
    """Let the kernel choose this process before all others when memory runs out."""
    score = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(score, _OOM_SCORE_FIRST)
    finally:
        os.close(score)


def limit(*, memory_bytes: int, highest_descriptor: int) -> None:
    """Bound what this process can take from now on; there is no way back.

    Args:
        memory_bytes: How much its address space may grow.
        highest_descriptor: The highest open one; 256 more may be opened above it.
    """
    _limit(resource.RLIMIT_AS, _address_space_bytes() + memory_bytes)
    _limit(resource.RLIMIT_NOFILE, highest_descriptor + 1 + _ADDITIONAL_DESCRIPTORS)
    for none in _NONE_AT_ALL:
        resource.setrlimit(none, (0, 0))


def _address_space_bytes() -> int:
    statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        pages, _, _ = os.read(statm, 256).partition(b" ")
    finally:
        os.close(statm)
    return int(pages) * resource.getpagesize()


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(what, (value, value))
