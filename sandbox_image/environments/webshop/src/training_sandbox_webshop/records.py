"""Sequences of byte strings in files: written once, then mapped and shared by all processes.

A sequence has two files: `NAME.bin`, the strings one after the other, and `NAME.offsets.npy`, where
each of them starts and the last one ends. Nothing is read until it is asked for, and a string that
was read is no object that stays.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]


class Records(Sequence[bytes]):
    """The strings that `write_records` wrote.

    Args:
        path: Their place, without a suffix.

    Raises:
        OSError: A file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._offsets: Int64s = load_array(path.with_suffix(".offsets.npy"))
        self._bytes = _map(path.with_suffix(".bin"))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._bytes[int(self._offsets[index]) : int(self._offsets[index + 1])]

    def find(self, wanted: bytes) -> int | None:
        """Where a string is in a sorted sequence; None if it is not there."""
        place = bisect_left(self, wanted)
        return place if place < len(self) and self[place] == wanted else None


def write_records(path: Path, records: Iterable[bytes]) -> None:
    """Write a sequence.

    Args:
        path: Its place, without a suffix.
        records: The strings.
    """
    offsets = [0]
    with path.with_suffix(".bin").open("wb") as file:
        for record in records:
            file.write(record)
            offsets.append(offsets[-1] + len(record))
    np.save(path.with_suffix(".offsets.npy"), np.asarray(offsets, dtype=np.int64))


def load_array(path: Path) -> NDArray[np.int64]:
    """A mapped array of integers."""
    return _mapped(path).view(np.ndarray)


def load_floats(path: Path) -> NDArray[np.float32]:
    """A mapped array of floats."""
    return _mapped(path).view(np.ndarray)


def _mapped(path: Path) -> NDArray[np.generic]:
    return np.load(path, mmap_mode="r")


def _map(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
