"""Fills the holes in the heap of the zygote, so that forks allocate where nothing is shared.

What was freed between live objects would be given to a fork for its first allocations, and each of
them costs it a copy of a page on which nearly everything belongs to others. Filled holes stay
filled in all forks; they are memory that the zygote has anyway.
"""

import ctypes
from collections.abc import Callable
from typing import TypeVar

Block = TypeVar("Block")

_LARGEST_OF_PYTHON = 512
"""Bytes; Python has an allocator of its own for blocks up to this size."""

_LARGEST = 8176
"""Bytes; larger holes are mostly whole pages, which the C library gives back."""

_ALIGNMENT = 16
_HEADER_OF_C = 8
_HEADER_OF_BYTES = 33
_ENOUGH_IN_A_ROW = 16
_MOST_OF_A_SIZE = 200_000

_filling: list[bytes] = []


def fill_holes() -> None:
    """Allocate blocks of each size, for good, until there is no hole of it. Takes some 50 ms."""
    for size in range(_LARGEST_OF_PYTHON, _HEADER_OF_BYTES, -_ALIGNMENT):
        length = size - _HEADER_OF_BYTES
        blocks = _fill(lambda length=length: bytes(length), id, size)
        _filling.extend(blocks[:-_ENOUGH_IN_A_ROW])
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = library.free.argtypes = [ctypes.c_size_t]
    for size in range(_LARGEST, _ALIGNMENT, -_ALIGNMENT):
        distance = -(-(size + _HEADER_OF_C) // _ALIGNMENT) * _ALIGNMENT
        for block in _fill(lambda size=size: library.malloc(size), int, distance)[
            -_ENOUGH_IN_A_ROW:
        ]:
            library.free(block)


def _fill(
    allocate: Callable[[], Block], address: Callable[[Block], int], distance: int
) -> list[Block]:
    """Allocate until blocks lie one behind the other: the last ones, which are in no hole."""
    blocks: list[Block] = []
    previous, in_a_row = 0, 1
    while in_a_row < _ENOUGH_IN_A_ROW and len(blocks) < _MOST_OF_A_SIZE:
        blocks.append(allocate())
        current = address(blocks[-1])
        in_a_row = in_a_row + 1 if current - previous == distance else 1
        previous = current
    return blocks
