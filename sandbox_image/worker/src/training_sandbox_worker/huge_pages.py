"""Huge pages for what a process shares with its forks: what a fork copies is the page table.

With pages of 4 KB, a fork of a process of 560 MB copies 140,000 entries, and its end gives them
back: 20 ms and 26 ms of AppWorld's create and release, of which 8 ms and 10 ms were left.
"""

import ctypes
import re
from pathlib import Path

_MADV_COLLAPSE = 25
_HUGE_PAGE = 2 << 20
_PRIVATE_MEMORY = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0 *(?:\[heap\])?")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def use_huge_pages() -> None:
    """Let the kernel move this process's private memory into huge pages, where it can (Linux 6.1).

    To be called once, after the C library has given back what is free, and never in a fork: there
    it would copy what is shared. A fork that writes to a huge page copies 4 KB of it, as ever.
    """
    for line in Path("/proc/self/maps").read_text().splitlines():
        if mapping := _PRIVATE_MEMORY.fullmatch(line.rstrip()):
            start, end = (int(address, 16) for address in mapping.groups())
            first = -(-start // _HUGE_PAGE) * _HUGE_PAGE
            for address in range(first, end - _HUGE_PAGE + 1, _HUGE_PAGE):
                # What fails stays as it was: an older kernel, no huge page free, memory not in use.
                _libc.madvise(address, _HUGE_PAGE, _MADV_COLLAPSE)
