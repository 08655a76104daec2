"""What happened in an episode, in order: JSON Lines, kept on disk."""

import asyncio
import contextlib
import logging
import weakref
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training_sandbox_server.logs import about
from training_sandbox_server.strict_json import encode

_WRITTEN_AT_ONCE_BYTES = 64 * 1024
_READ_AT_ONCE_BYTES = 256 * 1024
_CUT = encode({"type": "cut"}) + b"\n"

log = logging.getLogger(__name__)


class _File:
    """A file that is removed when nobody refers to it any more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        weakref.finalize(self, path.unlink, missing_ok=True)

    def append(self, content: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(content)


@dataclass(frozen=True, slots=True)
class _Span:
    """The first bytes of a file; what is appended later is not among them."""

    file: _File
    length: int

    async def read(self) -> AsyncGenerator[bytes]:
        with await asyncio.to_thread(self.file.path.open, "rb") as file:
            left = self.length
            while left:
                part = await asyncio.to_thread(file.read, min(left, _READ_AT_ONCE_BYTES))
                left -= len(part)
                yield part


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A trajectory as it was at one moment; it stays readable when the episode goes.

    Attributes:
        spans: What is on disk.
        latest: What follows and is not.
        size: Of both, in bytes.
        cut: Whether there was more than may be kept.
    """

    spans: Sequence[_Span] = ()
    latest: bytes = b""
    size: int = 0
    cut: bool = False

    async def read(self) -> AsyncGenerator[bytes]:
        """The lines, in parts of any size."""
        for span in self.spans:
            async for part in span.read():
                yield part
        if self.latest:
            yield self.latest
        if self.cut:
            yield _CUT


class Trajectory:
    """The records of one episode.

    Recording appends to memory; a thread writes to disk what has come together there. A branch
    shares what its parent has on disk.

    Args:
        path: Of the file; made when there is something to write, removed when neither this
            trajectory nor a branch refers to it.
        max_bytes: Past which nothing more is recorded.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._inherited: Sequence[_Span] = ()
        self._file: _File | None = None
        self._written = 0
        self._being_written = b""
        self._latest = bytearray()
        self._size = 0
        self._cut = False
        self._writing: asyncio.Task[None] | None = None

    def record(self, kind: str, **members: object) -> None:
        """Append one line."""
        if self._cut:
            return
        line = encode({"type": kind, **members}) + b"\n"
        if self._size + len(line) > self._max_bytes:
            self._cut = True
            return
        self._size += len(line)
        self._latest += line
        if len(self._latest) >= _WRITTEN_AT_ONCE_BYTES and self._writing is None:
            self._writing = asyncio.create_task(self._write())

    def excerpt(self) -> Excerpt:
        """All records so far."""
        written = [_Span(self._file, self._written)] if self._file and self._written else []
        return Excerpt(
            spans=(*self._inherited, *written),
            latest=self._being_written + self._latest,
            size=self._size,
            cut=self._cut,
        )

    def begin_with(self, excerpt: Excerpt) -> None:
        """Take over what was recorded elsewhere; nothing may have been recorded here before."""
        self._inherited = excerpt.spans
        self._latest = bytearray(excerpt.latest)
        self._size, self._cut = excerpt.size, excerpt.cut

    async def discard(self) -> None:
        """Forget all records, and record no more."""
        self._cut = True
        self._latest.clear()
        if self._writing is not None:
            await self._writing
        files: list[object] = [*self._inherited, self._file]
        self._inherited, self._file = (), None
        if any(files):
            # The last reference removes a file, which can take a while.
            with contextlib.suppress(RuntimeError):
                await asyncio.to_thread(files.clear)
            files.clear()

    async def _write(self) -> None:
        file = self._file = self._file or _File(self._path)
        try:
            while self._latest:
                self._being_written, self._latest = bytes(self._latest), bytearray()
                await asyncio.to_thread(file.append, self._being_written)
                self._written += len(self._being_written)
                self._being_written = b""
        except (OSError, RuntimeError) as error:
            # RuntimeError: the pod has as many threads as it may, most of them agent code's.
            log.warning("trajectory cut", extra=about(file=self._path.name, why=str(error)))
            self._being_written = b""
            self._latest.clear()
            self._cut = True
        finally:
            self._writing = None
