"""The folder that outlives a server process: the start counter and the episodes' trajectories."""

import fcntl
import itertools
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

_PRIVATE = 0o700


class StateDirectoryError(Exception):
    """The state directory cannot be used; the text says why."""


class StateDirectory:
    """The state directory of the one server that runs on it.

    Entering it makes it, locks it for this process, counts the start and removes what a former
    incarnation left of its episodes.

    Args:
        path: The directory; created if it is missing.
        starts: The folder of the start counter, created likewise; None for the directory itself.
            It is to last as long as the names of incarnations must differ: in a pod, longer than
            what is in memory.
    """

    def __init__(self, path: Path, *, starts: Path | None = None) -> None:
        self.path = path.absolute()
        self._starts = self.path if starts is None else starts.absolute()
        self.start = 0
        self._trajectories = self.path / "trajectories"
        self._numbers = itertools.count()
        self._lock = -1

    def __enter__(self) -> Self:
        """Take the directory.

        Raises:
            StateDirectoryError: It cannot be written, or another server runs on it.
        """
        try:
            for folder in (self.path, self._starts):
                folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # They may be what the disk is full of.
            self._remove_trajectories()
            self.start = self._count_start()
            self._trajectories.mkdir(mode=_PRIVATE)
        except BlockingIOError:
            os.close(self._lock)
            raise StateDirectoryError(f"{self.path} is in use by another server") from None
        except (OSError, ValueError) as error:
            raise StateDirectoryError(f"{self.path} cannot be used: {error}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the trajectories and let go of the lock."""
        self._remove_trajectories()
        os.close(self._lock)

    def new_trajectory(self) -> Path:
        """A path of its own for an episode's file, which is not made.

        Its name is a number: no caller's text is in a path.
        """
        return self._trajectories / f"{next(self._numbers):06}.jsonl"

    def _remove_trajectories(self) -> None:
        shutil.rmtree(self._trajectories, ignore_errors=True)

    def _count_start(self) -> int:
        counter = self._starts / "starts"
        start = int(counter.read_text()) if counter.exists() else 0
        written = counter.with_suffix(".new")
        with written.open("w") as file:
            file.write(f"{start + 1}\n")
            file.flush()
            # A node that loses its power leaves the former number or this one, never an empty file.
            os.fsync(file.fileno())
        written.replace(counter)
        _flush_folder(self._starts)
        return start


def _flush_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
