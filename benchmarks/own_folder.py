"""Folders that end with their process, also when it is killed: the next one removes them."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def own_folder(parent: Path) -> Generator[Path]:
    """A folder that nobody else reads or uses, in one that has nothing but such folders.

    It is locked as long as this process lives; those that are not locked were left by processes
    that were killed, and are removed.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with _locked(parent):
            for left in parent.iterdir():
                _remove_if_left(left)
            folder = Path(tempfile.mkdtemp(dir=parent))
            stack.enter_context(_locked(folder))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _remove_if_left(folder: Path) -> None:
    # It is in use, or its process is about to remove it.
    with contextlib.suppress(BlockingIOError, FileNotFoundError), _locked(folder, fcntl.LOCK_NB):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, how: int = 0) -> Generator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(descriptor)
