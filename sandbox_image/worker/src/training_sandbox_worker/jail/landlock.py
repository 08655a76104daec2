"""Landlock: a process gives up access to files, TCP, abstract sockets and signals, for good."""

import contextlib
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from training_sandbox_worker import libc

# Their numbers are the same on every architecture.
_CREATE_RULESET = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446

_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_RESTRICT_SELF_LOG_SAME_EXEC_OFF = 1

_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
# The rights over files known since each ABI: 13, then refer, truncate, and ioctl on devices.
_FILE_RIGHTS_SINCE = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_ABI_OF_TCP = 4
_ABI_OF_SCOPES = 6
_ABI_OF_LOGGING = 7

_RULESET = struct.Struct("=QQQ")
_PATH_BENEATH = struct.Struct("=Qi")


def abi() -> int:
    """The version of the kernel's interface, from 1.

    Raises:
        OSError: There is no Landlock, or the container's seccomp profile denies it.
    """
    return libc.system_call("landlock version", _CREATE_RULESET, 0, 0, _CREATE_RULESET_VERSION)


def create_ruleset(version: int, *, readable: Iterable[Path], writable: Iterable[Path]) -> int:
    """A descriptor of rules that deny all that this version can deny, but for some paths.

    Args:
        version: What `abi` returned.
        readable: Files, and folders with all that is below; those that do not exist are left out.
        writable: Files that may be opened for writing.

    Raises:
        OSError: The kernel refused.
    """
    attributes = _RULESET.pack(
        sum(rights for since, rights in _FILE_RIGHTS_SINCE.items() if since <= version),
        _BIND_AND_CONNECT_TCP if version >= _ABI_OF_TCP else 0,
        _ABSTRACT_SOCKETS_AND_SIGNALS if version >= _ABI_OF_SCOPES else 0,
    )
    # Older kernels take the longer structure as long as what they do not know is zero.
    ruleset = libc.system_call(
        "landlock_create_ruleset", _CREATE_RULESET, libc.buffer(attributes), len(attributes), 0
    )
    for path in readable:
        _allow(ruleset, path, _READ_FILE | _READ_DIR if path.is_dir() else _READ_FILE)
    for path in writable:
        _allow(ruleset, path, _WRITE_FILE)
    return ruleset


def restriction(version: int, ruleset: int) -> libc.Call:
    """Holds a thread, and all that it starts, to a ruleset. `no_new_privs` must be set.

    Raises OSError when it is called and the kernel refuses.
    """
    # Agent code must not be able to fill the audit log.
    flags = _RESTRICT_SELF_LOG_SAME_EXEC_OFF if version >= _ABI_OF_LOGGING else 0
    return libc.prepare_system_call("landlock_restrict_self", _RESTRICT_SELF, ruleset, flags)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = libc.buffer(_PATH_BENEATH.pack(rights, descriptor))
            libc.system_call("landlock_add_rule", _ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
        finally:
            os.close(descriptor)
