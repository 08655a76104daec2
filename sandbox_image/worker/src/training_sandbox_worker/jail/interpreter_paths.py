"""What Python itself reads, at any time, to work: its code, its libraries, the system's data."""

import mimetypes
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_SYSTEM = (
    "/dev/full",
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/locale",
    "/usr/share/zoneinfo",
)


def readable() -> Iterator[Path]:
    """Files and folders, some of which may not exist."""
    yield from map(Path, _SYSTEM)
    yield from map(Path, mimetypes.knownfiles)
    yield from map(Path, {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix})
    yield from (Path(sysconfig.get_path(scheme)) for scheme in ("stdlib", "platstdlib"))
    yield from _import_path()


def writable() -> Iterator[Path]:
    """Devices that swallow what is written."""
    yield Path(os.devnull)


def _import_path() -> Iterator[Path]:
    # Packages installed in editable mode are imported from where their source is. The working
    # directory is on the path by accident (`python -m`): it may hold anything.
    accidental = (Path("/"), Path.cwd())
    for entry in map(Path, sys.path):
        if entry.is_absolute() and entry.resolve() not in accidental:
            yield entry
